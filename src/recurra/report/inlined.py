"""The model that lies in a report, so that the report writes; and why not, where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from recurra import tensor_file
from recurra.errors import RecurraError
from recurra.model import from_tensors, locate
from recurra.network import network
from recurra.network.parameters import count
from recurra.report.packed import pack

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from recurra.model import LanguageModel

WITNESS = 32  # characters: few, so that the least difference stays small in a chaotic network
DIGITS = 9
LARGEST = 50_000  # parameters of a model that is put in unasked: 200 kB


class Inlined(NamedTuple):
    """The bytes of `packed.pack` and what Python says of a text by them, or None and a sentence that says why."""

    data: bytes | None
    absent: str = ""
    witness: dict[str, Any] | None = None


def inlined(folder: Path, *, with_model: bool) -> Inlined:
    """The best model of a run folder; one that is large only where `with_model` asks for it."""
    try:
        path = locate(folder)
        tensors, metadata = tensor_file.read(path)
        model = from_tensors(path, tensors, metadata)
    except RecurraError as error:
        return Inlined(None, f"Absent: {error.message}")
    size = count(model.parameters)
    if size > LARGEST and not with_model:
        return Inlined(
            None,
            f"Absent: the model has {size:,} parameters, {4 * size / 1e6:.1f} MB, and was left out. "
            "recurra report with --with-model puts it in, and the page writes by itself.",
        )
    update = _update(metadata)
    return Inlined(pack(model, update), witness=witness(model, update))


def witness(model: LanguageModel, update: int | None) -> dict[str, Any]:
    """A text of the model's own characters, and the nats of each but the first, for the page to compute again.

    They are the float64 reference's: the page computes in float64 too, and differs where it is wrong alone.
    """
    symbols = [symbol for symbol in model.vocabulary.symbols if not model.vocabulary.is_bytes or symbol.isascii()]
    text = "".join(symbols[:: max(1, len(symbols) // WITNESS)][:WITNESS])
    ids = model.vocabulary.encode(text).astype(np.int64)[:, np.newaxis]
    parameters = {name: array.astype(np.float64) for name, array in model.parameters.items()}
    logs = network.forward(model.config, parameters, ids[:-1], model.zero_state()).log_probabilities
    nats = -np.take_along_axis(logs, ids[1:, :, np.newaxis], -1).ravel()
    return {"text": text, "nats": np.round(nats, DIGITS).tolist(), "update": update}


def _update(metadata: dict[str, Any]) -> int | None:
    progress = metadata.get("progress")
    update = progress.get("update") if isinstance(progress, dict) else None
    return update if isinstance(update, int) and not isinstance(update, bool) else None

"""The model that lies in a report, so that the report writes; and why not, where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from recurra.errors import RecurraError
from recurra.io import tensor_file
from recurra.model import from_tensors
from recurra.network.parameters import count
from recurra.runs.saved_model import checkpoint_name, locate
from recurra.web.packed_model import pack

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

LARGEST = 50_000  # parameters of a model that is put in unasked: 200 kB


class Inlined(NamedTuple):
    """The bytes of `packed.pack` and the model's name, or None and a sentence that says why."""

    data: bytes | None
    absent: str = ""
    name: str = ""


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
    name = checkpoint_name(path, metadata)
    return Inlined(pack(model, update_of(metadata), name), name=name)


def update_of(metadata: dict[str, Any]) -> int | None:
    """How many updates a checkpoint has learned; None where it does not say."""
    progress = metadata.get("progress")
    update = progress.get("update") if isinstance(progress, dict) else None
    return update if isinstance(update, int) and not isinstance(update, bool) else None

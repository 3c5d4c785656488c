"""The model inside a report, which generates text in the browser, or the reason why there is none."""

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

MAX_PARAMETERS = 50_000  # 200 kB: a report contains a model of this size by default


class InlinedModel(NamedTuple):
    """The bytes of `packed_model.pack` and the name of the model, or None and the reason why there is none."""

    data: bytes | None
    absent: str = ""
    name: str = ""


def inline_model(folder: Path, *, with_model: bool) -> InlinedModel:
    """Return the best model of a run directory; a large model only if `with_model`."""
    try:
        path = locate(folder)
        tensors, metadata = tensor_file.read(path)
        model = from_tensors(path, tensors, metadata)
    except RecurraError as error:
        return InlinedModel(None, error.message)
    size = count(model.parameters)
    if size > MAX_PARAMETERS and not with_model:
        return InlinedModel(
            None,
            f"the report does not contain the model, which has {size:,} parameters ({4 * size / 1e6:.1f} MB). "
            "To include it, run: recurra report RUN_DIRECTORY --with-model",
        )
    name = checkpoint_name(path, metadata)
    return InlinedModel(pack(model, update_of(metadata), name), name=name)


def update_of(metadata: dict[str, Any]) -> int | None:
    """Return the number of updates before a checkpoint, or None if its metadata does not contain it."""
    progress = metadata.get("progress")
    update = progress.get("update") if isinstance(progress, dict) else None
    return update if isinstance(update, int) and not isinstance(update, bool) else None

"""The model inside a report, with which the report generates text; if it is absent, the reason."""

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

MAX_PARAMETERS = 50_000  # of a model that a report contains by default: 200 kB


class InlinedModel(NamedTuple):
    """The bytes of `packed_model.pack` and the model's name, or None and the reason as a sentence."""

    data: bytes | None
    absent: str = ""
    name: str = ""


def inline_model(folder: Path, *, with_model: bool) -> InlinedModel:
    """Return the best model of a run directory; a large one only if `with_model` is True."""
    try:
        path = locate(folder)
        tensors, metadata = tensor_file.read(path)
        model = from_tensors(path, tensors, metadata)
    except RecurraError as error:
        return InlinedModel(None, f"Absent: {error.message}")
    size = count(model.parameters)
    if size > MAX_PARAMETERS and not with_model:
        return InlinedModel(
            None,
            f"Absent: the model has {size:,} parameters, {4 * size / 1e6:.1f} MB, and was left out. "
            "recurra report with --with-model puts it in, and the page writes by itself.",
        )
    name = checkpoint_name(path, metadata)
    return InlinedModel(pack(model, update_of(metadata), name), name=name)


def update_of(metadata: dict[str, Any]) -> int | None:
    """Return the number of updates before a checkpoint; None if its metadata has none."""
    progress = metadata.get("progress")
    update = progress.get("update") if isinstance(progress, dict) else None
    return update if isinstance(update, int) and not isinstance(update, bool) else None

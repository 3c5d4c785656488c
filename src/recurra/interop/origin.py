"""A model with its name and the facts of its file: network, weights, held-out loss and text."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

from recurra.formatting import sanitize
from recurra.io import tensor_file
from recurra.model import OPTIMIZER, LanguageModel, from_tensors, named
from recurra.network.cells import cell_of
from recurra.network.optimizers import average_of
from recurra.network.parameters import count
from recurra.runs.layout import CHECKPOINTS
from recurra.runs.saved_model import locate


class Origin(NamedTuple):
    """A model, its name, and facts about it for the model card, by their labels."""

    model: LanguageModel
    name: str
    facts: dict[str, str]


def origin_of(source: LanguageModel | str | Path) -> Origin:
    """Return the origin of a model, of a run directory's best checkpoint, or of a checkpoint file.

    Raises: the errors of `load`.
    """
    if isinstance(source, LanguageModel):
        return Origin(source, "model", _network(source))
    path = locate(source)
    tensors, metadata = tensor_file.read(path)
    model = from_tensors(path, tensors, metadata)
    averaged = average_of(named(tensors, OPTIMIZER)) is not None
    facts = _network(model) | _weights(path, metadata, averaged=averaged) | _text(metadata)
    return Origin(model, _name(path), facts)


def _network(model: LanguageModel) -> dict[str, str]:
    config = model.config
    kind = f"{config.cell} ({config.activation})" if len(cell_of(config).activations) > 1 else config.cell
    return {
        "network": f"{kind}, {config.layers} × {config.hidden_size} units, {count(model.parameters):,} parameters",
        "symbols": f"{len(model.vocabulary):,} {'bytes' if model.vocabulary.is_bytes else 'characters'}",
    } | ({"documents": "each line independently, from a zero state"} if model.documents == "lines" else {})


def _weights(path: Path, metadata: dict[str, Any], *, averaged: bool) -> dict[str, str]:
    """Return the source of the weights: the kind of file, the update and the held-out loss."""
    progress = _table(metadata, "progress")
    update, loss = progress.get("update"), progress.get("validation")
    kind = "the best checkpoint" if path.stem == "best" else "a checkpoint" if update is not None else "a model file"
    at = f", of update {update:,}" if _is_count(update) else ""
    average = ", the moving average of the parameters" if averaged else ""
    facts = {"weights": f"{kind}{at}{average}"}
    if isinstance(loss, float) and math.isfinite(loss):
        facts["held-out loss"] = f"{loss:.4f} nats, {loss / math.log(2):.4f} bits a symbol"
    return facts


def _text(metadata: dict[str, Any]) -> dict[str, str]:
    """Return the name, the length and the digest of the training text, if the metadata has them."""
    text = _table(metadata, "text")
    name, length, sha256 = (text.get(key) for key in ("name", "characters", "sha256"))
    if not isinstance(name, str) or not _is_count(length) or not isinstance(sha256, str):
        return {}
    return {"text": f"{sanitize(name)[:200]}, {length:,} symbols, sha256 {sanitize(sha256)[:64]}"}


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 2**63


def _table(metadata: dict[str, Any], name: str) -> dict[str, Any]:
    table = metadata.get(name)
    return table if isinstance(table, dict) else {}


def _name(path: Path) -> str:
    """Return the name of the run if the file is one of its checkpoints, else the stem of the file."""
    folder = path.absolute().parent
    return (folder.parent.name if folder.name == CHECKPOINTS else path.stem) or "model"

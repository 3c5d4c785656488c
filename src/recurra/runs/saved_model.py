"""The model of a run directory or of a checkpoint file: its path, its displayed name, and the model itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recurra.config import arguments
from recurra.errors import ModelError
from recurra.io import tensor_file
from recurra.model import LanguageModel, from_tensors
from recurra.runs.layout import BEST, newest_checkpoint


def locate(path: str | Path) -> Path:
    """Return the model file for `path`: a file itself, or the best checkpoint of a run directory, else the latest.

    All commands, the report, the page and the server open this file. Raises ModelError if there is none.
    """
    path = Path(path)
    try:
        if path.is_file():
            return path
        exists, checkpoint = path.exists(), newest_checkpoint(path)
    except OSError as error:
        raise ModelError(f"cannot read the model `{path}`: {error.strerror}.") from error
    hint = "give a run directory, such as runs/kjv, or a checkpoint file."
    if not exists:
        raise ModelError(f"there is no model `{path}`.", hint=hint)
    if checkpoint is None:
        raise ModelError(f"`{path}` has no checkpoint.", hint=hint)
    return checkpoint


def load(path: str | Path) -> LanguageModel:
    """Load the model of a run directory (its best checkpoint) or of a checkpoint file.

    Raises ModelError if there is none, CheckpointError if the file is damaged.
    """
    model_path = locate(arguments.path("path", path))
    return from_tensors(model_path, *tensor_file.read(model_path))


def checkpoint_name(path: Path, metadata: Mapping[str, Any]) -> str:
    """Return the displayed name of a model file, such as "best checkpoint, update 500"."""
    progress = metadata.get("progress")
    update = progress.get("update") if isinstance(progress, dict) else None
    if not isinstance(update, int) or isinstance(update, bool):
        return "model file"
    return f"{'best checkpoint' if path.name == BEST else 'checkpoint'}, update {update:,}"

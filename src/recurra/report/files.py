"""Writing a finished file: whole or not at all."""

from __future__ import annotations

from pathlib import Path

from recurra import tensor_file
from recurra.errors import StorageError


def write(path: Path, data: bytes) -> Path:
    """Put `data` at `path`, making its folder; a reader sees the old file or the new. Raises StorageError."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tensor_file.write_bytes(path, data)
    except OSError as error:
        hint = "choose another place with -o, or make room."
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.", hint=hint) from error
    return path

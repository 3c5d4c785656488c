"""Writing a finished file: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from recurra.errors import StorageError


def write(path: Path, data: bytes) -> Path:
    """Put `data` at `path`, making its folder; a reader sees the old file or the new. Raises StorageError."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_bytes(data)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        hint = "choose another place with -o, or make room."
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.", hint=hint) from error
    return path

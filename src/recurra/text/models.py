"""Refuse a run directory or a model file that is given where a text is expected, and name the right command."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from recurra.errors import TextError
from recurra.text import books, files
from recurra.text.text import BYTES

CHECKPOINTS = "checkpoints"  # the folder of a run's checkpoints
SETTINGS = "run.toml"
LONGEST_HEADER = 1 << 20  # bytes of the header of a model file


def require_texts(
    given: Sequence[str | os.PathLike[str]], hint: Callable[[str], str], encoding: str | None = None
) -> None:
    """Raise TextError if one of `given` is a run directory or, except with encoding `bytes`, a model file.

    `hint` returns what to do with it, from its path as it is typed in a shell.
    """
    for source in given:
        if source == "-" or (isinstance(source, str) and source in books.NAMES):
            continue
        path = Path(source)
        mode = files.mode(path)
        if mode is not None and stat.S_ISDIR(mode):
            is_model, kind = (path / SETTINGS).is_file() and (path / CHECKPOINTS).is_dir(), "run directory"
        else:
            regular = mode is not None and stat.S_ISREG(mode) and encoding != BYTES
            is_model, kind = regular and _is_model(next(files.chunks(path), b"")), "model file"
        if is_model:
            raise TextError(f"`{files.shown(path)}` is a {kind}, not a text.", hint=hint(shlex.quote(str(source))))


def _is_model(beginning: bytes) -> bool:
    """Return True if a file that begins so is one of safetensors, as every model file is."""
    length = int.from_bytes(beginning[:8], "little")
    header = beginning[8 : 8 + length]
    return 0 < length <= LONGEST_HEADER and header.startswith(b"{") and b'"data_offsets"' in header

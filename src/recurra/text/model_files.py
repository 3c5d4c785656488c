"""Refuse a run directory or a model file in place of a text, with a hint that has the right command."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from recurra.errors import TextError
from recurra.text import exclusions, formats, named_books, sources
from recurra.text.text import BYTES

RUN = "run directory"
MODEL = "model file"


def require_texts(
    arguments: Sequence[str | os.PathLike[str]], hint: Callable[[Path], str], encoding: str | None = None
) -> None:
    """Raise TextError if one of `arguments` is a run directory or a model file.

    With encoding `bytes`, model files are accepted. The error has the hint `hint(path)`.
    """
    for source in arguments:
        if source == "-" or (isinstance(source, str) and source in named_books.NAMES):
            continue
        path = Path(source)
        mode = sources.mode(path)
        if mode is not None and stat.S_ISDIR(mode):
            refuse_run(path, hint)
        elif mode is not None and stat.S_ISREG(mode) and encoding != BYTES and _is_model(path):
            raise _error(path, MODEL, hint(path))


def refuse_run(folder: Path, hint: Callable[[Path], str]) -> None:
    """Raise TextError, with the `hint` for the run, if `folder` is a run directory or its folder of checkpoints."""
    entries = sources.entries(folder)
    if exclusions.is_run(entries):
        raise _error(folder, RUN, hint(folder))
    if exclusions.is_checkpoints(entries):
        raise _error(folder, "folder of checkpoints", hint(folder.parent if folder.name else folder / os.pardir))


def _is_model(path: Path) -> bool:
    return formats.recognize(next(sources.chunks(path), b"")) is formats.SAFETENSORS


def _error(path: Path, kind: str, hint: str) -> TextError:
    return TextError(f"`{sources.printable_path(path)}` is a {kind}, not a text.", hint=hint)

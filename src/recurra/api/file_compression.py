"""Files made small by a model, or by a network that learns as it goes, and back without loss."""

from __future__ import annotations

import contextlib
import io
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from recurra.compression import adaptive_compression, model_codec
from recurra.compression.container import Target
from recurra.compression.model_codec import Escapes
from recurra.config import arguments
from recurra.errors import CompressedFileError, TextError, UsageError
from recurra.io import atomic_write
from recurra.model import LanguageModel
from recurra.runs.saved_model import load
from recurra.system.shell import path_argument
from recurra.text.model_files import require_texts

COMPRESSED_SUFFIX = ".rcra"  # of a compressed file
Model = LanguageModel | str | Path
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class FileConversion:
    """The result of `compress` or `decompress`.

    path           the file that was written; None for a file object
    bytes_read     the size of the source, `bytes_written` that of the target
    seconds        the time that it took
    escapes        the characters that the model does not know; None without a model and after `decompress`
    damaged        the damaged parts that `salvage` left out
    """

    path: Path | None
    bytes_read: int
    bytes_written: int
    seconds: float
    escapes: Escapes | None = None
    damaged: tuple[CompressedFileError, ...] = ()


def compress(
    source: str | Path | BinaryIO,
    target: str | Path | BinaryIO | None = None,
    *,
    model: Model | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> FileConversion:
    """Compress a file without loss.

    source
        any file, best a text like the one that the model has learned; a path or a binary file object
    target
        the file to write (default: the source's name and .rcra), or a binary file object
    model
        a model, a run's folder (its best checkpoint) or a checkpoint file: only the same model gives the file back;
        None: a small network learns the file as it is compressed
    force
        replace a file that is there
    progress
        a function that is called with the numbers of bytes read and written so far

    A file appears when all of it is written. Raises TextError if the source cannot be read, UsageError, StorageError,
    and the errors of `load`.
    """
    place = _path_of("source", source)
    there = f"{place}{COMPRESSED_SUFFIX}" if target is None and place is not None else target

    def write(loaded: LanguageModel | None, own: BinaryIO, other: Target, count: _Count) -> Escapes | None:
        if loaded is None:
            adaptive_compression.compress(own, other, count)
            return None
        return model_codec.compress(loaded, own, other, count)

    return _converted(source, there, model, write, force=force, progress=progress)


def decompress(
    source: str | Path | BinaryIO,
    target: str | Path | BinaryIO | None = None,
    *,
    model: Model | None = None,
    salvage: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> FileConversion:
    """Decompress a file that `compress` wrote.

    source
        the compressed file: a path or a binary file object
    target
        the file to write (default: the source's name without .rcra), or a binary file object
    model
        the model that it was compressed with; None: it was compressed without one
    salvage
        leave out damaged parts, with a UserWarning for each, and write the others
    force, progress
        as in `compress`

    Nothing is written that is not proved to be as it was: a file appears when all of it is right, a file object gets
    block after block. Raises CompressedFileError if the file is damaged, ModelError if the model is another one, and
    the errors of `compress`.
    """
    place, found = _path_of("source", source), list[CompressedFileError]()
    there = _without_suffix(place) if target is None and place is not None else target
    salvage = arguments.flag("salvage", salvage)

    def damaged(error: CompressedFileError) -> None:
        found.append(error)
        warnings.warn(f"{error.message} It is left out.", stacklevel=2)

    def write(loaded: LanguageModel | None, own: BinaryIO, other: Target, count: _Count) -> None:
        told = damaged if salvage else None
        if loaded is None:
            adaptive_compression.decompress(own, other, count, told)
        else:
            model_codec.decompress(loaded, own, other, count, told)

    done = _converted(source, there, model, write, force=force, progress=progress)
    return FileConversion(done.path, done.bytes_read, done.bytes_written, done.seconds, damaged=tuple(found))


class _Count:
    """The numbers of bytes read and written; every change is passed on."""

    def __init__(self, progress: Progress | None) -> None:
        self.read = self.written = 0
        self._progress = progress

    def __call__(self, read: int, written: int) -> None:
        self.read, self.written = read, written
        if self._progress is not None:
            self._progress(read, written)


def _converted(
    source: Any,
    target: Any,
    model: Model | None,
    write: Callable[[LanguageModel | None, BinaryIO, Target, _Count], Escapes | None],
    *,
    force: bool,
    progress: Progress | None,
) -> FileConversion:
    """Open both files, `write`, and count."""
    if target is None:
        raise UsageError("`target` is missing: a file object has no name.", hint="give a path or a file object.")
    place, force = _path_of("target", target), arguments.flag("force", force)
    arguments.function("progress", progress)
    loaded = model if isinstance(model, LanguageModel) or model is None else load(arguments.path("model", model))
    count, started = _Count(progress), time.perf_counter()
    with _opened(source) as own, _written(target, force=force) as other:
        escapes = write(loaded, own, other, count)
    return FileConversion(place, count.read, count.written, time.perf_counter() - started, escapes)


def _path_of(name: str, file: Any) -> Path | None:
    """Return the path of a file; None for a binary file object."""
    if isinstance(file, io.IOBase) and not isinstance(file, io.TextIOBase):
        return None
    if isinstance(file, io.TextIOBase):
        raise arguments.invalid_argument(
            name, "a path or a binary file object", file, 'open it in the mode "rb" or "wb".'
        )
    return arguments.path(name, file)


@contextlib.contextmanager
def _opened(source: Any) -> Iterator[BinaryIO]:
    """Open the source, to be read once."""
    path = _path_of("source", source)
    if path is None:
        yield source
        return
    if path.is_dir():
        require_texts(
            [path], lambda given: f"`recurra export {path_argument(given)}` writes its model for other programs."
        )
        raise TextError(f"`{path}` is a folder; a file is expected.", hint="`tar` makes one file of a folder.")
    try:
        file = path.open("rb")
    except OSError as error:
        raise TextError(f"cannot read `{path}`: {error.strerror or error}.") from error
    with file:
        yield file


@contextlib.contextmanager
def _written(target: Any, *, force: bool) -> Iterator[Target]:
    """Open the target: a file that appears when all of it is there, or a file object."""
    path = _path_of("target", target)
    if path is None:
        yield target
        return
    if path.exists() and not force:
        raise UsageError(f"`{path}` is there already.", hint="give another `-o`, or `--force` to replace it.")
    with atomic_write.open_output(path) as file:
        yield file


def _without_suffix(path: Path) -> Path:
    """Return the name without .rcra; UsageError if the name has another ending."""
    if path.suffix != COMPRESSED_SUFFIX:
        raise UsageError(
            f"`{path}` does not end in {COMPRESSED_SUFFIX}: its own name is not known.", hint="give `-o FILE`."
        )
    return path.with_suffix("")

"""Lossless compression of files, with a model or with a network that learns during compression."""

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

COMPRESSED_SUFFIX = ".rcra"
Model = LanguageModel | str | Path
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class FileConversion:
    """The result of `compress` or `decompress`.

    path           the written file; None for a file object
    bytes_read     the size of the source
    bytes_written  the size of the target
    seconds        the duration
    escapes        the characters outside the model's vocabulary; None without a model and after `decompress`
    damaged        an error for each damaged part that `salvage` left out
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

    The target file appears only when it is complete.

    Args:
        source: a path or a binary file object. A text like the training text of the model compresses best.
        target: a path or a binary file object; None: the path of the source with the suffix .rcra.
        model: a model, a run directory (its best checkpoint) or a checkpoint file. The same model is needed to
            decompress the file. None: a small network learns the file during compression.
        force: replace an existing target file.
        progress: a function, called with the numbers of bytes read and written.

    Returns:
        the sizes, the duration and the characters outside the model's vocabulary.

    Raises:
        TextError: if the source cannot be read.
        UsageError: if the target exists and `force` is False.
        StorageError: if the target cannot be written.
        ModelError, CheckpointError: if the model cannot be loaded.
    """
    source_path = _path_of("source", source)
    if target is None and source_path is not None:
        target = f"{source_path}{COMPRESSED_SUFFIX}"

    def write(loaded: LanguageModel | None, data: BinaryIO, compressed: Target, count: _Count) -> Escapes | None:
        if loaded is None:
            adaptive_compression.compress(data, compressed, count)
            return None
        return model_codec.compress(loaded, data, compressed, count)

    return _converted(source, target, model, write, force=force, progress=progress)


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

    Each block is verified before it is written. A target file appears only when all blocks are right; a file object
    gets each block as soon as it is verified.

    Args:
        source: the compressed file, as a path or a binary file object.
        target: a path or a binary file object; None: the path of the source without the suffix .rcra.
        model: the model that compressed the file; None if the file was compressed without a model.
        salvage: leave out damaged parts, with a UserWarning for each, and write the others.
        force: replace an existing target file.
        progress: a function, called with the numbers of bytes read and written.

    Returns:
        the sizes, the duration and the damaged parts.

    Raises:
        CompressedFileError: if the file is damaged.
        ModelError: if another model compressed the file.
        TextError, UsageError, StorageError, CheckpointError: as in `compress`.
    """
    source_path, errors = _path_of("source", source), list[CompressedFileError]()
    if target is None and source_path is not None:
        target = _without_suffix(source_path)
    salvage = arguments.flag("salvage", salvage)

    def damaged(error: CompressedFileError) -> None:
        errors.append(error)
        warnings.warn(f"{error.message} The output lacks this part.", stacklevel=2)

    def write(loaded: LanguageModel | None, compressed: BinaryIO, data: Target, count: _Count) -> None:
        on_damage = damaged if salvage else None
        if loaded is None:
            adaptive_compression.decompress(compressed, data, count, on_damage)
        else:
            model_codec.decompress(loaded, compressed, data, count, on_damage)

    done = _converted(source, target, model, write, force=force, progress=progress)
    return FileConversion(done.path, done.bytes_read, done.bytes_written, done.seconds, damaged=tuple(errors))


class _Count:
    """The numbers of bytes read and written; each change is passed to `progress`."""

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
    """Open both files, call `write`, and return the sizes and the duration."""
    if target is None:
        raise UsageError("`target` is missing: a file object has no name.", hint="give a path or a binary file object.")
    path, force = _path_of("target", target), arguments.flag("force", force)
    arguments.function("progress", progress)
    loaded = model if isinstance(model, LanguageModel) or model is None else load(arguments.path("model", model))
    count, started = _Count(progress), time.perf_counter()
    with _opened(source) as reader, _written(target, force=force) as writer:
        escapes = write(loaded, reader, writer, count)
    return FileConversion(path, count.read, count.written, time.perf_counter() - started, escapes)


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
    """Open the source for reading."""
    path = _path_of("source", source)
    if path is None:
        yield source
        return
    if path.is_dir():
        require_texts(
            [path], lambda model: f"`recurra export {path_argument(model)}` writes its model for other programs."
        )
        raise TextError(
            f"`{path}` is a folder; a file is expected.", hint="pack the folder into one file with `tar` first."
        )
    try:
        file = path.open("rb")
    except OSError as error:
        raise TextError(f"cannot read `{path}`: {error.strerror or error}.") from error
    with file:
        yield file


@contextlib.contextmanager
def _written(target: Any, *, force: bool) -> Iterator[Target]:
    """Open the target for writing: a file that appears when it is complete, or the given file object."""
    path = _path_of("target", target)
    if path is None:
        yield target
        return
    if path.exists() and not force:
        raise UsageError(f"`{path}` already exists.", hint="give another name with `-o`, or `--force` to replace it.")
    with atomic_write.open_output(path) as file:
        yield file


def _without_suffix(path: Path) -> Path:
    """Return the path without .rcra; UsageError if it has another suffix."""
    if path.suffix != COMPRESSED_SUFFIX:
        raise UsageError(
            f"`{path}` does not end in {COMPRESSED_SUFFIX}, so the output has no default name.", hint="add `-o FILE`."
        )
    return path.with_suffix("")

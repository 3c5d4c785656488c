"""Write exports atomically, never over another file without `force`; read imports with a size limit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from recurra.errors import ModelError, StorageError, UsageError
from recurra.io import atomic_write, bounded_io, tensor_file

if TYPE_CHECKING:
    from recurra.model import LanguageModel


def require_absent(paths: list[Path], *, force: bool) -> None:
    """UsageError where one of `paths` is there already, and it is not to be replaced by `force`."""
    there = next((path for path in paths if _is_there(path)), None)
    if there is not None and (not force or there.is_dir()):
        hint = "give another name with `-o`" + ("." if there.is_dir() else ", or `--force` to replace it.")
        raise UsageError(f"`{there}` is there already.", hint=hint)


def write(files: Mapping[Path, bytes]) -> list[Path]:
    """Write each file, whole or not at all, and make its folder. Raises StorageError."""
    for path, data in files.items():
        with _writing(path):
            atomic_write.write_output(path, data)
    return list(files)


def read(path: Path, limit: int = bounded_io.MAX_TEXT_BYTES) -> bytes:
    """All of a regular file of up to `limit` bytes. Raises ModelError."""
    try:
        return bounded_io.read(path, limit)
    except OSError as error:
        raise ModelError(f"cannot read `{path}`: {error.strerror or error}.") from error


def write_model(model: LanguageModel, path: Path) -> None:
    """Write a model file of ours, and make its folder. Raises StorageError."""
    with _writing(path):
        atomic_write.make_folder(path.parent)
        tensor_file.write(path, model.tensors(), model.metadata(), atomic_write.OUTPUT_PLACE)


def _is_there(path: Path) -> bool:
    """Whether a file, a folder or a link has that name. StorageError where the system refuses to tell."""
    with _writing(path), contextlib.suppress(FileNotFoundError, NotADirectoryError):
        path.lstat()
        return True
    return False


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """StorageError, which says what to do about `-o`, where the system refuses and for a name that no file can have."""
    try:
        with atomic_write.storage_errors(path, atomic_write.OUTPUT_PLACE):
            yield
    except ValueError as error:
        raise StorageError(f"cannot write `{path}`: {error}.", hint=atomic_write.OUTPUT_PLACE) from error

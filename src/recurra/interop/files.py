"""Write exports atomically, and replace existing files only with `force`; read imports with a size limit."""

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
    """Raise UsageError if one of `paths` is a folder, or is a file and `force` is False."""
    existing = next((path for path in paths if _exists(path)), None)
    if existing is not None and (not force or existing.is_dir()):
        hint = "give another name with `-o`" + ("." if existing.is_dir() else ", or `--force` to replace it.")
        raise UsageError(f"`{existing}` already exists.", hint=hint)


def write(files: Mapping[Path, bytes]) -> list[Path]:
    """Write each file atomically and make its folder.

    Raises: StorageError if a file cannot be written.
    """
    for path, data in files.items():
        with _writing(path):
            atomic_write.write_output(path, data)
    return list(files)


def read(path: Path, limit: int = bounded_io.MAX_TEXT_BYTES) -> bytes:
    """Return the content of a regular file of at most `limit` bytes.

    Raises: ModelError if the file cannot be read or is larger.
    """
    try:
        return bounded_io.read(path, limit)
    except OSError as error:
        raise ModelError(f"cannot read `{path}`: {error.strerror or error}.") from error


def write_model(model: LanguageModel, path: Path) -> None:
    """Write a recurra model file and make its folder.

    Raises: StorageError if the file cannot be written.
    """
    with _writing(path):
        atomic_write.make_folder(path.parent)
        tensor_file.write(path, model.tensors(), model.metadata(), atomic_write.OUTPUT_PLACE)


def _exists(path: Path) -> bool:
    """Return True if a file, a folder or a link has this path. Raise StorageError if the system denies access."""
    with _writing(path), contextlib.suppress(FileNotFoundError, NotADirectoryError):
        path.lstat()
        return True
    return False


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Convert errors of the operating system and invalid file names to StorageError with a hint about `-o`."""
    try:
        with atomic_write.storage_errors(path, atomic_write.OUTPUT_PLACE):
            yield
    except ValueError as error:
        raise StorageError(f"cannot write `{path}`: {error}.", hint=atomic_write.OUTPUT_PLACE) from error

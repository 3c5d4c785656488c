"""Files out and in: whole or not at all, never over another without being told to, and read in bounds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from recurra import tensor_file, untrusted
from recurra.errors import ModelError, StorageError, UsageError

if TYPE_CHECKING:
    from recurra.model import LanguageModel

HINT = "choose another place with `-o`, or make room."


def require_free(paths: list[Path], *, force: bool) -> None:
    """UsageError where one of `paths` is there already, and it is not to be replaced by `force`."""
    there = next((path for path in paths if _is_there(path)), None)
    if there is not None and (not force or there.is_dir()):
        hint = "give another name with `-o`" + ("." if there.is_dir() else ", or `--force` to replace it.")
        raise UsageError(f"`{there}` is there already.", hint=hint)


def write(files: Mapping[Path, bytes]) -> list[Path]:
    """Write each file, whole or not at all, and make its folder. Raises StorageError."""
    for path, data in files.items():
        try:
            _make_folder(path.parent)
            tensor_file.write_bytes(path, data)
        except (OSError, ValueError) as error:
            raise _cannot_write(path, error) from error
    return list(files)


def read(path: Path, limit: int = untrusted.LONGEST) -> bytes:
    """All of a regular file of up to `limit` bytes. Raises ModelError."""
    try:
        return untrusted.read(path, limit)
    except OSError as error:
        raise ModelError(f"cannot read `{path}`: {error.strerror or error}.") from error


def write_model(model: LanguageModel, path: Path) -> None:
    """Write a model file of ours, and make its folder. Raises StorageError."""
    try:
        _make_folder(path.parent)
        model.save(path)
    except StorageError as error:
        error.hint = HINT
        raise
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from error


def _is_there(path: Path) -> bool:
    """Whether a file, a folder or a link has that name. StorageError where the system refuses to tell."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from error
    return True


def _cannot_write(path: Path, error: OSError | ValueError) -> StorageError:
    reason = getattr(error, "strerror", None) or error
    return StorageError(f"cannot write `{path}`: {reason}.", hint=HINT)


def _make_folder(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)

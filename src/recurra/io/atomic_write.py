"""Write files atomically: write a temporary file, flush it to the disk, read it back, rename it."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from recurra.errors import StorageError
from recurra.system.shell import path_argument

STAGING = ".staging-"
RUN_PLACE = "choose another folder with `--run`; earlier checkpoints are untouched."
OUTPUT_PLACE = "choose another place with `-o`."
FILE_PLACE = "give another path."
REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free some space"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "see with `ls -ld {there}` who may write there"),
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f unlimited`)",
    errno.EROFS: "mount its file system for writing",
    errno.EIO: "check the disk, which may be failing",
    errno.ENAMETOOLONG: "give a shorter name",
}


@contextlib.contextmanager
def storage_errors(path: Path, place: str = RUN_PLACE) -> Iterator[None]:
    """Convert an OSError in the `with` block to a StorageError for `path`.

    The hint of the error ends with `place`, a suggestion to write to another path.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise failure(path, error, place) from error


def failure(path: Path, error: OSError, place: str) -> StorageError:
    """Return the StorageError for the OSError `error` at `path`.

    The hint depends on the error number, and ends with `place`, a suggestion to write to another path.
    """
    reason, remedy = _reason(path, error)
    return StorageError(f"cannot write `{path}`: {reason}.", hint=f"{remedy}, or {place}" if remedy else place)


def _reason(path: Path, error: OSError) -> tuple[str, str | None]:
    """Return the cause of `error` and its remedy, in words for a message. The remedy is None if there is none."""
    reason, folder = error.strerror or str(error), path.parent
    existing = next(above for above in (folder, *folder.parents) if _exists(above))
    if error.errno in (errno.ENOENT, errno.ENOTDIR) and not existing.is_dir():
        return f"`{existing}` is a file, not a folder", None
    if error.errno == errno.ENOENT and existing != folder:
        return f"the folder `{folder}` does not exist", f"make it with `mkdir -p {path_argument(folder)}`"
    if error.errno in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST) and path.is_dir():
        return "it is a folder", "name a file in it"
    remedy = REMEDIES.get(error.errno or 0)
    unwritable = path if _exists(path) and os.access(existing, os.W_OK) else existing
    return reason, None if remedy is None else remedy.format(there=path_argument(unwritable))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # an unreadable folder, or a name that is too long
        return False


def write(path: Path, data: bytes) -> None:
    """Write a file of a run atomically; raise StorageError if that fails."""
    with storage_errors(path):
        write_bytes(path, data)


def write_output(path: Path, data: bytes) -> Path:
    """Create the folder of the output file `path`, and write the file atomically; raise StorageError on failure."""
    with storage_errors(path, OUTPUT_PLACE):
        make_folder(path.parent)
        write_bytes(path, data)
    return path


def make_folder(folder: Path) -> None:
    """Create a folder and its parents unless the path exists; may raise OSError."""
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)


def write_bytes(path: Path, data: bytes | bytearray) -> None:
    """Write `data` to a temporary file, flush it, read it back, rename it to `path` and flush the folder."""
    with stage_file(path) as staged:
        with staged.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if staged.read_bytes() != data:
            raise OSError(errno.EIO, "the bytes that were read back differ from the bytes written", str(staged))
    sync_folder(path.parent)


@contextlib.contextmanager
def open_output(path: Path) -> Iterator[BinaryIO]:
    """Open a file that the user named, for writing in pieces.

    At the end of the `with` block, `path` contains all pieces and is flushed to the disk. After an error, `path` is
    unchanged. Raises StorageError if writing fails.
    """
    with storage_errors(path, OUTPUT_PLACE):
        with stage_file(path) as staged, staged.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)


@contextlib.contextmanager
def stage_file(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary file in the folder of `path`; rename it to `path`, or remove it after an error."""
    staged = path.parent / f"{STAGING}{os.getpid()}-{secrets.token_hex(6)}"
    try:
        yield staged
        staged.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            staged.unlink()
        raise


def sync_folder(folder: Path) -> None:
    """Flush the entries of `folder` to the disk, so that a rename survives a power failure; POSIX only."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF):  # from file systems that cannot flush a folder
            raise
    finally:
        os.close(handle)


def remove_staged(folder: Path) -> None:
    """Remove the temporary files that interrupted writes left in `folder`."""
    for path in folder.glob(f"{STAGING}*"):
        with contextlib.suppress(OSError):
            path.unlink()

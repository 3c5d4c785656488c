"""Write a file whole or not at all: stage it beside its place, flush it to the disk, read it back, rename it."""

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
    """Raise StorageError, which names `path`, for any OSError within; `place` is the hint to write elsewhere."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise failure(path, error, place) from error


def failure(path: Path, error: OSError, place: str) -> StorageError:
    """Return the StorageError for what the operating system reports of `path`, with a hint of its own for each reason.

    `place` is the hint to write elsewhere, which ends every hint.
    """
    reason, remedy = _reason(path, error)
    return StorageError(f"cannot write `{path}`: {reason}.", hint=f"{remedy}, or {place}" if remedy else place)


def _reason(path: Path, error: OSError) -> tuple[str, str | None]:
    """Return what is wrong, and what can be done about it."""
    reason, folder = error.strerror or str(error), path.parent
    there = next(above for above in (folder, *folder.parents) if _exists(above))
    if error.errno in (errno.ENOENT, errno.ENOTDIR) and not there.is_dir():
        return f"`{there}` is a file, not a folder", None
    if error.errno == errno.ENOENT and there != folder:
        return f"the folder `{folder}` does not exist", f"make it with `mkdir -p {path_argument(folder)}`"
    if error.errno in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST) and path.is_dir():
        return "it is a folder", "name a file in it"
    remedy = REMEDIES.get(error.errno or 0)
    closed = path if _exists(path) and os.access(there, os.W_OK) else there
    return reason, None if remedy is None else remedy.format(there=path_argument(closed))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder that may not be read, or a name that is too long
        return False


def write(path: Path, data: bytes) -> None:
    """Write a file of a run, whole or not at all. Raises StorageError."""
    with storage_errors(path):
        write_bytes(path, data)


def write_output(path: Path, data: bytes) -> Path:
    """Write a file that was asked for, whole or not at all, and make its folder. Raises StorageError."""
    with storage_errors(path, OUTPUT_PLACE):
        make_folder(path.parent)
        write_bytes(path, data)
    return path


def make_folder(folder: Path) -> None:
    """Make a folder, and those that it lies in, unless something of that name is there; may raise OSError."""
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)


def write_bytes(path: Path, data: bytes | bytearray) -> None:
    """Stage `data` beside `path`, flush it, read it back, rename it into place and flush the folder."""
    with stage_file(path) as beside:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if beside.read_bytes() != data:
            raise OSError(errno.EIO, "the file reads back with other bytes than were written", str(beside))
    sync_folder(path.parent)


@contextlib.contextmanager
def open_output(path: Path) -> Iterator[BinaryIO]:
    """Open a file that was asked for, to write in pieces: `path` has all of it, flushed to the disk, or nothing.

    Raises StorageError.
    """
    with storage_errors(path, OUTPUT_PLACE):
        with stage_file(path) as beside, beside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)


@contextlib.contextmanager
def stage_file(path: Path) -> Iterator[Path]:
    """A file to write beside `path`, whose place it takes at the end; where that fails, none is left."""
    beside = path.parent / f"{STAGING}{os.getpid()}-{secrets.token_hex(6)}"
    try:
        yield beside
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable, where the system has a way to."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF):  # said by file systems that flush no folder
            raise
    finally:
        os.close(handle)


def remove_staged(folder: Path) -> None:
    """Remove what an interrupted write left behind."""
    for path in folder.glob(f"{STAGING}*"):
        with contextlib.suppress(OSError):
            path.unlink()

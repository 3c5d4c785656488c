"""Files that are written whole or not at all: staged beside their place, flushed to the disk, and only then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shlex
from collections.abc import Iterator
from pathlib import Path

from recurra.errors import StorageError

STAGING = ".staging-"
RUN_HINT = "choose another folder with `--run`; earlier checkpoints are untouched."
OUTPUT_HINT = "choose another place with `-o`."
REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free some space, or {elsewhere}"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "`ls -ld {folder}` shows who may write there; else {elsewhere}"),
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f unlimited`), or {elsewhere}",
    errno.EROFS: "its file system is mounted read-only: {elsewhere}",
    errno.EIO: "the disk may be failing: {elsewhere}",
    errno.ENAMETOOLONG: "the name is too long: {elsewhere}",
}


@contextlib.contextmanager
def writing(path: Path, hint: str = RUN_HINT) -> Iterator[None]:
    """Raise StorageError, which names `path`, for any OSError within; `hint` is how to choose another place."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(
            f"cannot write `{path}`: {error.strerror or error}.", hint=hint_for(error, path, hint)
        ) from error


def hint_for(error: OSError, path: Path, elsewhere: str) -> str:
    """Return what to do about an `error` in writing `path`: the remedy for its reason, or how to write `elsewhere`."""
    remedy = REMEDIES.get(error.errno or 0, "{elsewhere}")
    return remedy.format(elsewhere=elsewhere, folder=shlex.quote(str(_existing(path.parent))))


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists and can be seen."""
    places = (place for place in (folder, *folder.parents) if os.path.lexists(place))
    return next(places, Path())


def write(path: Path, data: bytes) -> None:
    """Write a file of a run, whole or not at all. Raises StorageError."""
    with writing(path):
        write_bytes(path, data)


def write_output(path: Path, data: bytes) -> Path:
    """Write a file that was asked for, whole or not at all, and make its folder. Raises StorageError."""
    with writing(path, OUTPUT_HINT):
        make_folder(path.parent)
        write_bytes(path, data)
    return path


def make_folder(folder: Path) -> None:
    """Make a folder, and those that it lies in, unless something of that name is there; may raise OSError."""
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)


def write_bytes(path: Path, data: bytes | bytearray) -> None:
    """Stage `data` beside `path`, flush it, read it back, rename it into place and flush the folder."""
    with staged(path) as beside:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if beside.read_bytes() != data:
            raise OSError(errno.EIO, "the file reads back with other bytes than were written", str(beside))
    sync_folder(path.parent)


@contextlib.contextmanager
def staged(path: Path) -> Iterator[Path]:
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


def sweep(folder: Path) -> None:
    """Remove what an interrupted write left behind."""
    for path in folder.glob(f"{STAGING}*"):
        with contextlib.suppress(OSError):
            path.unlink()

"""Read bytes from paths: the files of a folder in order, and an error for an unreadable path."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from recurra.errors import TextError
from recurra.text import exclusions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LINKED = "link to a folder"
IRREGULAR = "not a regular file"
READ_BLOCK_BYTES = 1 << 20


def mode(path: Path) -> int | None:
    """Return the type and the permissions of `path`, after following links; None if it does not exist."""
    try:
        return path.stat().st_mode
    except ValueError:  # a NUL in the name
        return None
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            return None
        refuse(error, path)


def kind(mode: int) -> str:
    """Return the type of an irregular file in words."""
    if stat.S_ISCHR(mode):
        return "a character device"
    return "a block device" if stat.S_ISBLK(mode) else "a socket"


def is_sparse(path: Path) -> bool:
    """Return True if a file has a size but no data on the disk, so that it would read as NULs only."""
    if not hasattr(os, "SEEK_DATA"):
        return False
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size:
                os.lseek(file.fileno(), 0, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:
            refuse(error, path)
        return True
    return False


def chunks(path: Path) -> Iterator[bytes]:
    """Yield the content of a file in blocks. Read to its end, because pipes and files in /proc have no size."""
    try:
        with path.open("rb") as file:
            yield from _blocks(file)
    except OSError as error:
        refuse(error, path)


def standard_input_chunks(stdin: BinaryIO | None) -> Iterator[bytes]:
    """Yield the content of `stdin` in blocks, to its end; if it is None, read the standard input of the process."""
    if stdin is None:
        if sys.stdin is None or sys.stdin.closed:
            raise TextError("standard input is closed, so that `-` has no text.", hint="name a file instead of `-`.")
        stdin = sys.stdin.buffer
    try:
        yield from _blocks(stdin)
    except OSError as error:
        refuse(error, Path("standard input"))


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(READ_BLOCK_BYTES):
        yield block
        if len(block) < READ_BLOCK_BYTES and isinstance(file, io.BufferedReader):
            return  # the end; another read from a terminal would wait for a second Ctrl-D


def entries(folder: Path) -> list[str]:
    """Return the names of the entries of a folder."""
    try:
        return [path.name for path in folder.iterdir()]
    except OSError as error:
        refuse(error, folder)


def walk(folder: Path, skip: Callable[[str, Path], None]) -> list[Path]:
    """Return the regular files below `folder`, sorted by their relative paths in code-point order.

    Excluded entries (see `exclusions`), links to folders and irregular files are skipped: for each, `skip(why, path)`
    is called.
    """
    return sorted(_files(folder, skip), key=lambda path: path.relative_to(folder).as_posix())


def _files(folder: Path, skip: Callable[[str, Path], None]) -> Iterator[Path]:
    for root, folders, files in os.walk(folder, onerror=refuse):
        if Path(root) != folder and (why := exclusions.of_directory(Path(root), [*folders, *files])):
            skip(why, Path(root))
            folders.clear()
            continue
        folders.sort()
        for path in [Path(root, name) for name in folders]:
            if why := exclusions.of_name(path.name) or (LINKED if path.is_symlink() else None):
                skip(why, path)
                folders.remove(path.name)  # os.walk does not follow links
        for path in [Path(root, name) for name in sorted(files)]:
            if why := exclusions.of_file(path.name) or (None if _is_regular(path) else IRREGULAR):
                skip(why, path)
            else:
                yield path


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        if path.is_symlink():
            return False  # a broken link
        refuse(error, path)


def refuse(error: OSError, path: Path | None = None) -> NoReturn:
    """Raise a TextError that describes the OSError `error` at `path`."""
    name = printable_path(path if path is not None else str(error.filename))
    if isinstance(error, FileNotFoundError):
        raise TextError(f"{name} vanished before it could be read.") from None
    if isinstance(error, PermissionError):
        raise TextError(f"{name} cannot be read: permission denied.", hint="check its permissions.") from None
    raise TextError(f"{name} cannot be read: {error.strerror or error}.") from None


def printable_path(path: str | os.PathLike[str], limit: int = 200) -> str:
    """Return a path for a message, with control characters and undecodable bytes escaped, cut to `limit` characters."""
    name = os.fspath(path)
    clean = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name[:limit])
    return clean if len(name) <= limit else clean + "…"

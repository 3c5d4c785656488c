"""Paths → bytes: the files of a folder in order, and an error for a path that cannot be read."""

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
READ_BLOCK_BYTES = 1 << 20  # bytes that are read at once


def mode(path: Path) -> int | None:
    """The type and permissions of `path`, links followed; None where there is nothing of that name."""
    try:
        return path.stat().st_mode
    except ValueError:  # a NUL in the name
        return None
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            return None
        refuse(error, path)


def kind(mode: int) -> str:
    """What a file that holds no text is, in words."""
    if stat.S_ISCHR(mode):
        return "a character device"
    return "a block device" if stat.S_ISBLK(mode) else "a socket"


def is_sparse(path: Path) -> bool:
    """Whether a file has a size but no data on the disk: NULs, however many, as the system knows without reading."""
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
    """All of a file, whatever size the system claims for it: a pipe has none, nor has a file in /proc."""
    try:
        with path.open("rb") as file:
            yield from _blocks(file)
    except OSError as error:
        refuse(error, path)


def standard_input_chunks(stdin: BinaryIO | None) -> Iterator[bytes]:
    """All of `stdin`, or where that is None of the process's standard input, up to its end, in blocks."""
    if stdin is None:
        if sys.stdin is None or sys.stdin.closed:
            raise TextError("standard input is closed: there is nothing to read.")
        stdin = sys.stdin.buffer
    try:
        yield from _blocks(stdin)
    except OSError as error:
        refuse(error, Path("standard input"))


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(READ_BLOCK_BYTES):
        yield block
        if len(block) < READ_BLOCK_BYTES and isinstance(file, io.BufferedReader):
            return  # it is at its end; a terminal that was asked again would want a second Ctrl-D


def entries(folder: Path) -> list[str]:
    """The names of what lies directly in a folder."""
    try:
        return [path.name for path in folder.iterdir()]
    except OSError as error:
        refuse(error, folder)


def walk(folder: Path, skip: Callable[[str, Path], None]) -> list[Path]:
    """The regular files below `folder`, sorted by their relative path in code-point order.

    Entries of `exclusions`, links to a folder and irregular files are left out: `skip(why, path)` is called for
    each.
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
                folders.remove(path.name)  # os.walk itself follows no link
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
            return False  # a link that leads nowhere
        refuse(error, path)


def refuse(error: OSError, path: Path | None = None) -> NoReturn:
    """Raise the TextError that says in words what the system's `error` says in numbers."""
    name = shown(path if path is not None else str(error.filename))
    if isinstance(error, FileNotFoundError):
        raise TextError(f"{name} vanished before it could be read.") from None
    if isinstance(error, PermissionError):
        raise TextError(f"{name} may not be read: permission denied.", hint="check its permissions.") from None
    raise TextError(f"{name} cannot be read: {error.strerror or error}.") from None


def shown(path: str | os.PathLike[str], limit: int = 200) -> str:
    """A path as it can be printed anywhere: control characters and undecodable bytes escaped."""
    name = os.fspath(path)
    clean = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name[:limit])
    return clean if len(name) <= limit else clean + "…"

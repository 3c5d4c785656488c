"""Bounded reads of untrusted zip archives: their directory and their members.

`zipfile` reads as long a directory as a file claims, and unpacks whatever is compressed. Here the directory is measured
before it is read, and an entry is unpacked only as far as its bytes are wanted.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from recurra.errors import CheckpointError, ModelError
from recurra.io.bounded_io import open_regular

MAX_DIRECTORY = 1 << 20  # bytes, of some twenty thousand entries
END, END_64 = b"PK\x05\x06", b"PK\x06\x06"  # how the record of the directory begins, and that of 64 bits before it
SIZE, SIZE_64, MAX_COMMENT = 22, 56 + 20, 0xFFFF
# RuntimeError, of which NotImplementedError is one: encrypted, or compressed in another way.
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError, RuntimeError)


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive. Raises ModelError if it cannot be read or has too many entries, CheckpointError if it is damaged."""
    try:
        with io.BufferedReader(open_regular(path)) as file:
            _require_short_directory(file, path)
            with zipfile.ZipFile(file) as archive:
                yield archive
    except (
        DAMAGE
    ) as error:  # RuntimeError, of which NotImplementedError is one: encrypted, or compressed in another way
        raise CheckpointError(f"`{path}` is a zip archive that is damaged: {error!s:.200}.") from error
    except OSError as error:
        raise ModelError(f"cannot read `{path}`: {error.strerror or error}.") from error


def names(path: Path) -> list[str]:
    """The names of all entries."""
    with open_zip(path) as archive:
        return archive.namelist()


def _require_short_directory(file: IO[bytes], path: Path) -> None:
    """Raise ModelError if any record at the end, each of which might be taken, has a directory that is too long."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(size - SIZE - MAX_COMMENT - SIZE_64, 0))
    tail = file.read()
    lengths = [_length(tail, at) for at in _places(END, tail)]
    lengths += [int.from_bytes(tail[at + 40 : at + 48], "little") for at in _places(END_64, tail)]
    if not lengths:
        raise CheckpointError(f"`{path}` is a zip archive that is cut off: its directory, at the end, is missing.")
    if max(lengths) > MAX_DIRECTORY:
        raise ModelError(f"`{path}` is a zip archive of more files than are read.")


def _length(tail: bytes, at: int) -> int:
    """The length of the directory in the record at `at`; 0 if a record of 64 bits before it has the length."""
    length = int.from_bytes(tail[at + 12 : at + 16], "little")
    return 0 if length == 0xFFFFFFFF and at >= SIZE_64 and tail.startswith(END_64, at - SIZE_64) else length


def _places(mark: bytes, tail: bytes) -> Iterator[int]:
    at = tail.find(mark)
    while at >= 0:
        yield at
        at = tail.find(mark, at + 1)

"""Bounded reads of untrusted zip archives: their directory and their members.

`zipfile` reads a directory of any length that a file states, and decompresses members without a limit. This module
checks the length of the directory before it reads it; callers decompress a member only up to the bytes that they need.
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

MAX_DIRECTORY_BYTES = 1 << 20  # about twenty thousand entries
END, END_64 = b"PK\x05\x06", b"PK\x06\x06"  # magic bytes of the end record, and of the 64-bit record before it
SIZE, SIZE_64, MAX_COMMENT = 22, 56 + 20, 0xFFFF  # bytes of these records and of a comment
# RuntimeError and its subclass NotImplementedError: an encrypted member, or an unsupported compression.
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError, RuntimeError)


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive.

    Raises: ModelError if it cannot be read or has too many entries, CheckpointError if it is damaged.
    """
    try:
        with io.BufferedReader(open_regular(path)) as file:
            _require_short_directory(file, path)
            with zipfile.ZipFile(file) as archive:
                yield archive
    except DAMAGE as error:
        raise CheckpointError(f"`{path}` is a zip archive that is damaged: {error!s:.200}.") from error
    except OSError as error:
        raise ModelError(f"cannot read `{path}`: {error.strerror or error}.") from error


def names(path: Path) -> list[str]:
    """Return the names of all entries."""
    with open_zip(path) as archive:
        return archive.namelist()


def _require_short_directory(file: IO[bytes], path: Path) -> None:
    """Raise ModelError if any end record states a directory that is too long; `zipfile` may use any of the records."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(size - SIZE - MAX_COMMENT - SIZE_64, 0))
    tail = file.read()
    lengths = [_length(tail, at) for at in _offsets(END, tail)]
    lengths += [int.from_bytes(tail[at + 40 : at + 48], "little") for at in _offsets(END_64, tail)]
    if not lengths:
        raise CheckpointError(f"`{path}` is a zip archive that is truncated: its directory, at the end, is missing.")
    if max(lengths) > MAX_DIRECTORY_BYTES:
        raise ModelError(
            f"`{path}` is a zip archive of too many files: its directory has more than {MAX_DIRECTORY_BYTES:,} bytes."
        )


def _length(tail: bytes, at: int) -> int:
    """Return the directory's length from the end record at `at`; 0 if a 64-bit record before it has the length."""
    length = int.from_bytes(tail[at + 12 : at + 16], "little")
    return 0 if length == 0xFFFFFFFF and at >= SIZE_64 and tail.startswith(END_64, at - SIZE_64) else length


def _offsets(mark: bytes, tail: bytes) -> Iterator[int]:
    at = tail.find(mark)
    while at >= 0:
        yield at
        at = tail.find(mark, at + 1)

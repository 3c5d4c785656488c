"""Ids in a file of the cache folder, read by position: training on a text larger than memory.

The file holds the ids one after another, as wide as the vocabulary needs, and behind them their sha256 (32 bytes).
Its name is the sha256 of the text and the type of the ids, so that a text that was read before is found again.
Nothing is mapped into memory: pages that a map has touched would count as this process's.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recurra.errors import StorageError
from recurra.io.atomic_write import STAGING, stage_file
from recurra.io.bounded_io import is_foreign, open_regular
from recurra.system import system_info

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

IDS_SUFFIX = ".ids"
KEPT = 4  # files, those used last; older ones are removed when a new one is written
READ_BLOCK_IDS = 1 << 20  # ids that are read at once where all of them are
DIGEST_BYTES = hashlib.sha256().digest_size
ABANDONED = 24 * 3600  # seconds after which a file that is still being written is no longer


class IdFile:
    """The ids `start` to `stop` of an open file: `len`, `dtype`, `min`, `max`, and slices, which are read into memory.

    `part` gives a part of them without reading it. An id i that is read is `table[i]` where there is a table.
    StorageError where the file can no longer be read.
    """

    def __init__(
        self, file: _File, dtype: np.dtype[Any], start: int, stop: int, table: NDArray[Any] | None = None
    ) -> None:
        self.dtype = dtype if table is None else table.dtype
        self._written, self._table = dtype, table
        self._file, self._start, self._stop = file, start, stop

    def __len__(self) -> int:
        return self._stop - self._start

    def __getitem__(self, key: slice) -> NDArray[Any]:
        """The ids of a slice, copied; contiguous where its step is 1."""
        start, stop, step = key.indices(len(self))
        if step < 1:
            raise ValueError("the step of a slice of an id file must be positive.")
        ids = np.empty(max(stop - start, 0), self._written)
        self._file.read((self._start + start) * self._written.itemsize, ids.view(np.uint8))
        return ids[::step] if self._table is None else self._table[ids[::step]]

    def part(self, start: int, stop: int) -> IdFile:
        """The ids `start` to `stop`, 0 <= start <= stop <= len, still in the file."""
        return IdFile(self._file, self._written, self._start + start, self._start + stop, self._table)

    def translated(self, table: NDArray[Any]) -> IdFile:
        """The same place in the file, an id i read as `table[i]`; of ids that are not translated yet."""
        return IdFile(self._file, self._written, self._start, self._stop, table)

    def blocks(self) -> Iterator[NDArray[Any]]:
        """All ids in order, `READ_BLOCK_IDS` at once."""
        for start in range(0, len(self), READ_BLOCK_IDS):
            yield self[start : start + READ_BLOCK_IDS]

    def min(self) -> int:
        """The least id, of one or more."""
        return min(int(block.min()) for block in self.blocks())

    def max(self) -> int:
        """The greatest id, of one or more."""
        return max(int(block.max()) for block in self.blocks())


Ids = NDArray[Any] | IdFile


def translate(ids: Ids, table: NDArray[Any]) -> Ids:
    """`table[ids]`: the ids of the same symbols in another vocabulary, whose ids of all own symbols are `table`."""
    return ids.translated(table) if isinstance(ids, IdFile) else table[ids]


class _File:
    """A file that is open for reading until nothing refers to it; a name that is removed meanwhile does no harm."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._raw = open_regular(path)
        self._lock = threading.Lock()

    def __del__(self) -> None:
        if hasattr(self, "_raw"):
            self._raw.close()

    def status(self) -> os.stat_result:
        """Return the owner, the size in bytes and the like."""
        return os.fstat(self._raw.fileno())

    def read(self, offset: int, buffer: NDArray[np.uint8]) -> None:
        """Fill `buffer` with what lies from `offset` on; StorageError where that cannot be had."""
        try:
            with self._lock:  # threads would move one another's place
                self._raw.seek(offset)
                got = self._raw.readinto(buffer.data)
        except OSError as error:
            raise StorageError(f"cannot read `{self.path}`: {error.strerror or error}.") from error
        if got != len(buffer):
            raise StorageError(f"`{self.path}` was cut off while it was in use.", hint="give the command again.")


def cache_folder() -> Path:
    """Where the id files of long texts lie."""
    return system_info.cache_folder() / "texts"


def keep(name: str, dtype: np.dtype[Any], length: int, symbols: int, blocks: Iterable[NDArray[Any]]) -> IdFile:
    """The id file NAME.ids of the cache: as it lies there, where it is whole, else written from `blocks`.

    `blocks` give `length` ids of type `dtype` below `symbols`, and are not read where they need not be. Raises OSError.
    """
    path = cache_folder() / f"{name}{IDS_SUFFIX}"
    found = _whole(path, dtype, length, symbols)
    if found is not None:
        with contextlib.suppress(OSError):  # a folder may be readable only
            os.utime(path)  # the sweep goes by when a file was used last
        return found
    _write(path, blocks)
    _sweep(path.parent)
    return IdFile(_File(path), dtype, 0, length)


def _whole(path: Path, dtype: np.dtype[Any], length: int, symbols: int) -> IdFile | None:
    """Return the ids of this user's file if it has its full length, its digest and ids of `symbols`, else None."""
    size, digest, written = length * dtype.itemsize, hashlib.sha256(), np.empty(DIGEST_BYTES, np.uint8)
    try:
        file = _File(path)
        found = file.status()
        if is_foreign(found) or found.st_size != size + DIGEST_BYTES:
            return None
        ids = IdFile(file, dtype, 0, length)
        file.read(size, written)
        for block in ids.blocks():
            digest.update(block.data)
            if int(block.max()) >= symbols:  # the kernels would read beyond their arrays
                return None
    except OSError:
        return None
    return ids if digest.digest() == written.tobytes() else None


def _write(path: Path, blocks: Iterable[NDArray[Any]]) -> None:
    """Write beside `path`, then rename: no reader sees half a file. It is not flushed, for it is checked when read."""
    digest = hashlib.sha256()
    with stage_file(path) as beside, beside.open("xb") as file:
        for block in blocks:
            file.write(block.data)
            digest.update(block.data)
        file.write(digest.digest())


def _sweep(folder: Path) -> None:
    """Remove all id files but those used last, and what writers left that were killed."""
    with contextlib.suppress(OSError):
        ages = {path: path.stat().st_mtime for path in folder.iterdir()}
        whole = sorted((path for path in ages if path.suffix == IDS_SUFFIX), key=lambda path: ages[path], reverse=True)
        half = [p for p in ages if p.name.startswith(STAGING) and ages[p] < time.time() - ABANDONED]
        for path in [*whole[KEPT:], *half]:
            path.unlink(missing_ok=True)

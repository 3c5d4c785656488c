"""Id files: the ids of a text in a file of the cache folder, for training on a text larger than memory.

A file has the ids in the smallest integer type for the vocabulary, then their sha256 (32 bytes). Its name consists of
the sha256 of the text and the type of the ids, so that the file of an earlier training is used again. The file is read,
not mapped: mapped pages would count as memory of the process.
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
KEPT_FILES = 4  # the most recently used files; others are removed when a new file is written
READ_BLOCK_IDS = 1 << 20  # ids in a block when all ids are read
DIGEST_BYTES = hashlib.sha256().digest_size
ABANDONED_SECONDS = 24 * 3600  # age of a temporary file whose writer is assumed to be dead


class IdFile:
    """The ids `start` to `stop` of an open file, with the methods of an array: `len`, `dtype`, `min`, `max`, slices.

    A slice is read into memory; `part` returns a part without reading it. If there is a `table`, each id i in the file
    becomes `table[i]`. Raises StorageError if the file becomes unreadable.
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
        """Return the ids of a slice as a new array, contiguous if the step is 1."""
        start, stop, step = key.indices(len(self))
        if step < 1:
            raise ValueError("the step of a slice of an id file must be positive.")
        ids = np.empty(max(stop - start, 0), self._written)
        self._file.read((self._start + start) * self._written.itemsize, ids.view(np.uint8))
        return ids[::step] if self._table is None else self._table[ids[::step]]

    def part(self, start: int, stop: int) -> IdFile:
        """Return the ids `start` to `stop` without reading them; 0 <= start <= stop <= len."""
        return IdFile(self._file, self._written, self._start + start, self._start + stop, self._table)

    def translated(self, table: NDArray[Any]) -> IdFile:
        """Return these ids, translated by `table`. The ids must not have a table yet."""
        return IdFile(self._file, self._written, self._start, self._stop, table)

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield all ids in order, in blocks of `READ_BLOCK_IDS`."""
        for start in range(0, len(self), READ_BLOCK_IDS):
            yield self[start : start + READ_BLOCK_IDS]

    def min(self) -> int:
        """Return the smallest id. The text must not be empty."""
        return min(int(block.min()) for block in self.blocks())

    def max(self) -> int:
        """Return the largest id. The text must not be empty."""
        return max(int(block.max()) for block in self.blocks())


Ids = NDArray[Any] | IdFile


def translate(ids: Ids, table: NDArray[Any]) -> Ids:
    """Translate `ids` to another vocabulary: id i becomes `table[i]`."""
    return ids.translated(table) if isinstance(ids, IdFile) else table[ids]


class _File:
    """A file that is open for reading. It remains readable if its name is removed.

    The file is closed when nothing refers to this object any more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._raw = open_regular(path)
        self._lock = threading.Lock()

    def __del__(self) -> None:
        if hasattr(self, "_raw"):
            self._raw.close()

    def status(self) -> os.stat_result:
        """Return the status of the file, such as its owner and its size in bytes."""
        return os.fstat(self._raw.fileno())

    def read(self, offset: int, buffer: NDArray[np.uint8]) -> None:
        """Fill `buffer` with the bytes from `offset` on; raise StorageError if that fails."""
        try:
            with self._lock:  # seek and read are two calls
                self._raw.seek(offset)
                length = self._raw.readinto(buffer.data)
        except OSError as error:
            raise StorageError(f"cannot read `{self.path}`: {error.strerror or error}.") from error
        if length != len(buffer):
            raise StorageError(f"`{self.path}` was truncated while it was in use.", hint="run the command again.")


def cache_folder() -> Path:
    """Return the folder of the id files."""
    return system_info.cache_folder() / "texts"


def keep(name: str, dtype: np.dtype[Any], length: int, symbols: int, blocks: Iterable[NDArray[Any]]) -> IdFile:
    """Return the id file NAME.ids of the cache; write it from `blocks` unless it exists and is complete.

    `blocks` yields `length` ids of type `dtype`, all below `symbols`; it is not read if the file exists. Raises OSError
    if the file cannot be written.
    """
    path = cache_folder() / f"{name}{IDS_SUFFIX}"
    ids = _existing(path, dtype, length, symbols)
    if ids is not None:
        with contextlib.suppress(OSError):  # the folder may be read-only
            os.utime(path)  # mark it as recently used, for `_sweep`
        return ids
    _write(path, blocks)
    _sweep(path.parent)
    return IdFile(_File(path), dtype, 0, length)


def _existing(path: Path, dtype: np.dtype[Any], length: int, symbols: int) -> IdFile | None:
    """Return the ids of an existing file; None if the file is missing or invalid.

    The file must belong to this user and have the right length, the right digest, and only ids below `symbols`.
    """
    size, digest, written = length * dtype.itemsize, hashlib.sha256(), np.empty(DIGEST_BYTES, np.uint8)
    try:
        file = _File(path)
        status = file.status()
        if is_foreign(status) or status.st_size != size + DIGEST_BYTES:
            return None
        ids = IdFile(file, dtype, 0, length)
        file.read(size, written)
        for block in ids.blocks():
            digest.update(block.data)
            if int(block.max()) >= symbols:  # the kernels would read outside their arrays
                return None
    except OSError:
        return None
    return ids if digest.digest() == written.tobytes() else None


def _write(path: Path, blocks: Iterable[NDArray[Any]]) -> None:
    """Write the file atomically, without a flush to the disk: `_existing` checks the digest before each use."""
    digest = hashlib.sha256()
    with stage_file(path) as staged, staged.open("xb") as file:
        for block in blocks:
            file.write(block.data)
            digest.update(block.data)
        file.write(digest.digest())


def _sweep(folder: Path) -> None:
    """Remove all id files except the `KEPT_FILES` most recently used, and temporary files of killed writers."""
    with contextlib.suppress(OSError):
        times = {path: path.stat().st_mtime for path in folder.iterdir()}
        newest_first = sorted(times, key=lambda path: times[path], reverse=True)
        unused = [path for path in newest_first if path.suffix == IDS_SUFFIX][KEPT_FILES:]
        oldest = time.time() - ABANDONED_SECONDS
        abandoned = [path for path in times if path.name.startswith(STAGING) and times[path] < oldest]
        for path in [*unused, *abandoned]:
            path.unlink(missing_ok=True)

"""Id files: access like an array, reuse, checks of damage, and removal of old files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recurra.errors import StorageError
from recurra.io.atomic_write import STAGING
from recurra.text import id_file
from recurra.text.id_file import KEPT_FILES, IdFile, keep, translate

Write = Callable[[NDArray[Any]], IdFile]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(id_file, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(id_file, "READ_BLOCK_IDS", 7)
    return tmp_path


def blocks(ids: NDArray[Any], size: int = 10) -> Iterator[NDArray[Any]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def write(ids: NDArray[Any], name: str = "a") -> IdFile:
    return keep(name, ids.dtype, len(ids), 1 << 16, blocks(ids))


def never() -> Iterator[NDArray[Any]]:
    yield pytest.fail("the ids were made again")


bounds = st.none() | st.integers(-70, 70)


@given(
    st.integers(1, 50),
    st.sampled_from([np.uint8, np.uint16, np.uint32]),
    st.builds(slice, bounds, bounds, st.none() | st.integers(1, 5)),
    st.data(),
)
def test_slices_and_parts_equal_those_of_array(N: int, dtype: type, key: slice, data: st.DataObject) -> None:
    ids: np.ndarray = np.arange(N, dtype=dtype)[::-1].copy() * 3
    file = write(ids, f"{N}-{dtype.__name__}")
    start = data.draw(st.integers(0, N))
    stop = data.draw(st.integers(start, N))
    for array, stored in ((ids, file), (ids[start:stop], file.part(start, stop))):
        assert len(stored) == len(array)
        assert stored[key].dtype == array.dtype
        assert np.array_equal(stored[key], array[key])
        assert np.array_equal(np.concatenate([array[:0], *stored.blocks()]), array)
    assert (file.min(), file.max()) == (ids.min(), ids.max())


def test_negative_step_raises() -> None:
    with pytest.raises(ValueError, match="the step of a slice of an id file must be positive"):
        write(np.arange(5))[::-1]


def test_complete_file_is_not_written_again() -> None:
    ids = np.arange(30, dtype=np.uint16)
    write(ids)
    assert np.array_equal(keep("a", ids.dtype, 30, 30, never())[:], ids)


@pytest.mark.parametrize("damage", ["cut off", "longer", "a bit", "the digest", "empty"])
def test_damaged_file_is_written_again(folder: Path, damage: str) -> None:
    ids = np.arange(30, dtype=np.uint16)
    write(ids)
    (path,) = folder.iterdir()
    data = bytearray(path.read_bytes())
    match damage:
        case "cut off":
            del data[20:22]
        case "longer":
            data += b"\0"
        case "a bit":
            data[3] ^= 1
        case "the digest":
            data[-1] ^= 1
        case _:
            data.clear()
    path.write_bytes(data)
    assert np.array_equal(write(ids)[:], ids)
    assert np.array_equal(keep("a", ids.dtype, 30, 30, never())[:], ids)


def test_pipe_at_path_does_not_block_and_is_replaced(folder: Path) -> None:
    os.mkfifo(folder / "a.ids")
    assert np.array_equal(write(np.arange(5))[:], np.arange(5))
    assert (folder / "a.ids").is_file()


def test_file_with_ids_outside_vocabulary_is_written_again(folder: Path) -> None:
    ids = np.arange(30, dtype=np.uint16)
    write(ids)
    assert np.array_equal(keep("a", ids.dtype, 30, 29, blocks(np.zeros_like(ids)))[:], np.zeros(30))


def test_removed_file_can_still_be_read(folder: Path) -> None:
    ids = write(np.arange(30))
    for path in folder.iterdir():
        path.unlink()
    assert np.array_equal(ids[10:20], np.arange(10, 20))


def test_file_truncated_during_use_raises(folder: Path) -> None:
    ids = write(np.arange(30))
    (path,) = folder.iterdir()
    os.truncate(path, 100)
    with pytest.raises(
        StorageError, match=r"a\.ids` was truncated while it was in use\.\nhint: run the command"
    ) as error:
        ids[10:20]
    assert error.value.exit_code == 7


def test_disk_error_raises_storage_error() -> None:
    class Broken:
        def seek(self, *_: int) -> None:
            raise OSError(5, "Input/output error")

        def close(self) -> None:
            pass

    ids = write(np.arange(30))
    ids._file._raw.close()
    ids._file._raw = Broken()  # type: ignore[assignment]
    with pytest.raises(StorageError, match=r"cannot read `.*a\.ids`: Input/output error\."):
        ids[:3]


def test_threads_can_read_same_file() -> None:
    ids = write(np.arange(3000))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda start: ids[start : start + 10], range(2990)))
    assert all(np.array_equal(part, np.arange(start, start + 10)) for start, part in enumerate(found))


def test_failed_writer_leaves_no_file(folder: Path) -> None:
    def failing() -> Iterator[NDArray[Any]]:
        yield np.zeros(3, np.uint8)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        keep("a", np.dtype(np.uint8), 6, 6, failing())
    assert list(folder.iterdir()) == []


def test_most_recently_used_files_are_kept(folder: Path) -> None:
    ids = np.arange(9)
    for age, name in enumerate("abcd"):
        write(ids, name)
        os.utime(folder / f"{name}.ids", (1000 + age, 1000 + age))
    old, new = folder / f"{STAGING}old", folder / f"{STAGING}new"
    for path in (old, new, folder / "another's"):
        path.touch()
    os.utime(old, (time.time() - id_file.ABANDONED_SECONDS - 60,) * 2)
    write(ids, "a")  # uses a, so that it is newer than b
    write(ids, "e")
    assert KEPT_FILES == 4
    assert sorted(path.name for path in folder.iterdir()) == [new.name, "a.ids", "another's", "c.ids", "d.ids", "e.ids"]


def test_translated_ids_use_table() -> None:
    ids = np.arange(30, dtype=np.uint8) % 5
    table = np.array([70, 3, 900, 0, 12], np.uint16)
    found = translate(write(ids), table)
    assert isinstance(found, IdFile)
    assert found.dtype == np.uint16
    assert np.array_equal(found[:], translate(ids, table)[:])
    assert np.array_equal(found.part(4, 20)[1::3], table[ids[4:20][1::3]])
    assert (found.min(), found.max()) == (0, 900)

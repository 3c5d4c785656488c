"""Compression in Python: round trips of files and file objects."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import recurra
from recurra.compression import container
from recurra.errors import CompressedFileError, StorageError, UsageError

TEXT = b"bad cab\nbed ace\n" * 20


@pytest.fixture(autouse=True)
def _in_a_folder_with_a_book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("book.txt").write_bytes(TEXT)


def test_a_file_there_and_back(small_run: Path) -> None:
    seen = []
    done = recurra.compress("book.txt", model=small_run, progress=lambda *told: seen.append(told))
    assert done.path == Path("book.txt.rcra")
    assert (done.bytes_read, done.bytes_written) == (len(TEXT), done.path.stat().st_size) == seen[-1]
    assert done.escapes is not None
    assert not done.escapes.counts
    with pytest.raises(UsageError, match=r"`book\.txt` already exists"):
        recurra.decompress(done.path, model=small_run)
    Path("book.txt").unlink()
    back = recurra.decompress(done.path, model=recurra.load(small_run))
    assert back.path == Path("book.txt")
    assert back.path.read_bytes() == TEXT
    assert sorted(path.name for path in Path().iterdir()) == ["book.txt", "book.txt.rcra"]


def test_file_objects(small_run: Path) -> None:
    small, large = io.BytesIO(), io.BytesIO()
    assert recurra.compress(io.BytesIO(TEXT), small, model=small_run).path is None
    small.seek(0)
    recurra.decompress(small, large, model=small_run)
    assert large.getvalue() == TEXT
    with pytest.raises(UsageError, match="`target` is missing: a file object has no name"):
        recurra.compress(io.BytesIO(TEXT), model=small_run)


def test_damaged_parts_are_left_out_on_request(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_BLOCK_BYTES", 100)
    recurra.compress("book.txt", "small", model=small_run)
    data = bytearray(Path("small").read_bytes())
    data[45] ^= 1
    Path("small").write_bytes(data)
    with pytest.raises(CompressedFileError, match="block 0"):
        recurra.decompress("small", "large", model=small_run)
    assert not Path("large").exists()
    with pytest.warns(UserWarning, match=r"block 0 .* The output lacks this part\."):
        done = recurra.decompress("small", "large", model=small_run, salvage=True)
    assert len(done.damaged) == 1
    assert Path("large").read_bytes() == TEXT[100:]


def test_a_write_that_fails_leaves_nothing(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="cannot write `small`: No space left on device"):
        recurra.compress("book.txt", "small", model=small_run)
    assert [path.name for path in Path().iterdir()] == ["book.txt"]

"""Long texts, stored in a file: equal in every method to texts in memory."""

from __future__ import annotations

import hashlib
import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recurra.errors import StorageError, TextError
from recurra.text import formats, id_file, long_text, sources
from recurra.text.id_file import IdFile
from recurra.text.long_text import LongText, collect_text
from recurra.text.reading import read, require_enough_text
from recurra.text.streams import SequentialStream, split
from recurra.text.text import Text
from recurra.text.vocabulary import Vocabulary

LIMIT = 10
TEXT = "In the beginning é书\n" * 5


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(long_text, "IN_MEMORY", LIMIT)
    monkeypatch.setattr(long_text, "STEP_CHARACTERS", 5)
    monkeypatch.setattr(id_file, "cache_folder", lambda: tmp_path / "cache" / "texts")
    return tmp_path / "cache" / "texts"


def both(data: bytes, encoding: str = "utf-8") -> tuple[Text, Text]:
    """Return the text of standard input twice: in memory, and in a file."""
    long = read("-", encoding, stdin=io.BytesIO(data))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_text, "IN_MEMORY", 1 << 24)
        return read("-", encoding, stdin=io.BytesIO(data)), long


def assert_same(short: Text, long: Text) -> None:
    assert isinstance(long.ids, IdFile)
    assert not isinstance(short.ids, IdFile)
    assert np.array_equal(long.ids[:], short.ids)
    assert long.ids.dtype == short.ids.dtype
    assert long.vocabulary == short.vocabulary
    assert (long.text, len(long), long.sha256) == (short.text, len(short), short.sha256)
    assert (long.name, long.source, long.encoding, long.notes) == (
        short.name,
        short.source,
        short.encoding,
        short.notes,
    )
    assert long.part(3, 8) == short.part(3, 8) == short.text[3:8]
    assert long.only_symbol() == short.only_symbol()
    assert long.is_bytes == short.is_bytes


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=LIMIT + 2).filter(lambda t: "\r" not in t))
def test_long_text_equals_text_in_memory(text: str) -> None:
    assume(formats.recognize(text.encode()) is None and formats.unmarked_unicode(text.encode()) is None)
    assert_same(*both(text.encode()))


@given(st.binary(min_size=LIMIT + 1))
def test_long_bytes_equal_bytes_in_memory(data: bytes) -> None:
    assert_same(*both(data, "bytes"))


def test_bytes_and_characters_have_different_id_files(cache: Path) -> None:
    data = b"abc" * 9
    for encoding in ("bytes", "utf-8", "bytes"):
        assert_same(*both(data, encoding))
    assert len(list(cache.iterdir())) == 2


def test_more_than_256_symbols_use_wider_ids() -> None:
    short, long = both("".join(map(chr, range(300, 900))).encode("utf-16"), "utf-16")
    assert long.ids.dtype == np.uint16
    assert_same(short, long)


def test_only_text_above_limit_is_stored_in_file(cache: Path) -> None:
    assert type(read("-", stdin=io.BytesIO(b"a" * LIMIT))) is Text
    assert not cache.exists()
    text = read("-", stdin=io.BytesIO(b"a" * (LIMIT + 1)))
    assert isinstance(text, LongText)
    assert "é" not in repr(text)


def test_short_files_can_join_to_long_text() -> None:
    Path("f").mkdir()
    for name, data in {"a": b"\xef\xbb\xbfabc\r\nde", "b": b"\xff", "c": b"fgh\rij\n"}.items():
        Path("f", name).write_bytes(data)
    Path("d").write_text("the end")
    text = read(["f", "d"])
    assert isinstance(text, LongText)
    assert text.text == "abc\nde\nfgh\nij\nthe end"
    assert text.sha256 == hashlib.sha256(text.text.encode()).hexdigest()
    assert [Path(source).name for source in text.source] == ["a", "c", "d"]
    assert set(text.notes) == {
        "taken from folders: 2 files, 13 characters: no suffix 2 (100.0 %)",
        "skipped, not utf-8: 1 (f/b)",
        "a byte order mark was removed from f/a",
        "line ends converted from CRLF or CR to LF: 2, in f/a, f/c",
        "a newline was added after f/a, which had none at its end",
    }


def test_error_deep_in_long_text_names_byte_and_line(cache: Path) -> None:
    with pytest.raises(TextError, match="standard input is not utf-8: byte 0xff at offset 115, line 6"):
        read("-", stdin=io.BytesIO(TEXT.encode() + b"\xff"))
    assert not cache.exists()


def test_error_after_staging_leaves_no_file(cache: Path) -> None:
    def chunks() -> object:
        yield TEXT
        raise TextError("the second half is bad.")

    with pytest.raises(TextError, match="the second half is bad"):
        collect_text(chunks(), "utf-8")  # type: ignore[arg-type]
    assert list(cache.iterdir()) == []


def test_long_text_of_one_symbol_raises() -> None:
    with pytest.raises(TextError, match="every character of the text is 'a'"):
        require_enough_text(read("-", stdin=io.BytesIO(b"a" * 99)), 5)
    with pytest.raises(TextError, match=r"every byte of the text is '\\x00'"):
        require_enough_text(read("-", "bytes", stdin=io.BytesIO(b"\0" * 99)), 5)
    with pytest.raises(TextError, match="the text has 12 characters, but one sequence of 25 needs 26"):
        require_enough_text(read("-", stdin=io.BytesIO(b"ab" * 6)), 25)
    require_enough_text(read("-", stdin=io.BytesIO(b"ab" * 13)), 25)


def test_second_read_reuses_id_file_unless_damaged(cache: Path) -> None:
    short, _ = both(TEXT.encode())
    (path,) = cache.iterdir()
    assert path.name == f"{short.sha256}-uint8.ids"
    whole, inode = path.read_bytes(), path.stat().st_ino
    assert_same(*both(TEXT.encode()))
    assert path.stat().st_ino == inode
    path.write_bytes(whole[:-40])
    assert_same(*both(TEXT.encode()))
    assert path.read_bytes() == whole


@pytest.mark.parametrize("text", ["short", TEXT])
def test_unwritable_cache_folder_raises_with_hint(cache: Path, text: str) -> None:
    cache.parent.write_text("a file where a folder should be")
    if len(text) <= LIMIT:
        assert read("-", stdin=io.BytesIO(text.encode())).text == text
        return
    with pytest.raises(
        StorageError, match=r"cannot write `.*texts`: .+\.\nhint: set XDG_CACHE_HOME to .+ texts of more than 10 char"
    ) as error:
        read("-", stdin=io.BytesIO(text.encode()))
    assert error.value.exit_code == 7


def test_full_disk_raises_with_hint(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(id_file, "_write", full)
    with pytest.raises(
        StorageError, match=r"cannot write `.*texts`: No space left on device\.\nhint: free some space, or"
    ):
        read("-", stdin=io.BytesIO(TEXT.encode()))
    assert list(cache.iterdir()) == []


def test_memory_does_not_grow_with_text(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (long_text, "IN_MEMORY"),
        (long_text, "STEP_CHARACTERS"),
        (id_file, "READ_BLOCK_IDS"),
        (sources, "READ_BLOCK_BYTES"),
    ):
        monkeypatch.setattr(module, name, 1 << 14)
    Path("a.txt").write_text("In the beginning é\n" * 500_000)  # 10 MB
    tracemalloc.start()
    try:
        text = read("a.txt")
        train, held_out, _ = split(text.ids, 0.2)
        for n in (100, 1000):
            SequentialStream(train, 25, 4).take(n)
        assert (held_out.min(), held_out.max()) == (0, len(text.vocabulary) - 1)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000  # two tables of all code points, and a few blocks
    finally:
        tracemalloc.stop()


def test_vocabulary_covers_whole_text() -> None:
    assert read("-", stdin=io.BytesIO(TEXT.encode())).vocabulary == Vocabulary.of(TEXT)


def test_cache_folder_follows_xdg_cache_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert id_file.cache_folder() == tmp_path / "recurra" / "texts"

"""Hostile texts, one test each: reading ends in a text or in a TextError, and never hangs.

`test_decoding`, `test_reading` and `test_long_text` test the modules that decode, join and count.
"""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processes import filled_pipe
from recurra.cli import main
from recurra.errors import TextError
from recurra.text import id_file, long_text, sources
from recurra.text.reading import read, require_enough_text
from recurra.text.text import Text

T = 25


def text_of(content: bytes | str) -> Text:
    """Return the text of a file with this content."""
    Path("text").write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return read("text")


def training_characters(content: bytes | str) -> str:
    """Return the characters of a text that is long enough for training, encoded and decoded."""
    text = text_of(content)
    require_enough_text(text, T)
    return text.vocabulary.decode(text.ids[:])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(id_file, "cache_folder", lambda: tmp_path / "cache")


def test_empty_text_raises() -> None:
    with pytest.raises(TextError, match="the text is empty: there is nothing to learn from"):
        training_characters("")


def test_text_of_one_character_raises() -> None:
    with pytest.raises(TextError, match="the text has only one character"):
        training_characters("a")


def test_text_of_one_repeated_character_raises() -> None:
    with pytest.raises(TextError, match="every character of the text is 'a': there is nothing to predict"):
        training_characters("a" * 1000)


def test_text_shorter_than_sequence_raises() -> None:
    with pytest.raises(TextError, match="the text has 25 characters, but one sequence of 25 needs 26"):
        training_characters("ab" * 12 + "a")
    assert len(training_characters("ab" * 13)) == 26


def hole(name: str, size: int, end: bytes = b"") -> Path:
    """Write a sparse file of NULs, with `end` after them; skip the test if the file system has no sparse files."""
    with Path(name).open("wb") as file:
        file.truncate(size)
        file.seek(size)
        file.write(end)
    if not end and not sources.is_sparse(Path(name)):
        pytest.skip("this file system does not tell holes from data")
    return Path(name)


def test_sparse_file_of_ten_gigabytes_raises_without_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    path = hole("sparse", 10 * 2**30)
    monkeypatch.setattr(sources, "chunks", lambda _: pytest.fail("it was read"))
    for encoding in ("utf-8", "bytes"):
        with pytest.raises(TextError, match="sparse is a sparse file without data: it would read as NULs only"):
            read(path, encoding)


def test_sparse_file_in_folder_is_skipped_without_reading() -> None:
    Path("folder").mkdir()
    hole("folder/sparse", 10 * 2**30)
    Path("folder/text").write_text("some words")
    text = read("folder")
    assert text.text == "some words"
    assert text.notes[1:] == ("skipped, without data: 1 (folder/sparse)",)


def test_partly_sparse_file_is_read_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_text, "IN_MEMORY", 1 << 20)
    path = hole("sparse", 1 << 25, b"words")
    tracemalloc.start()
    text = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(text) == (1 << 25) + 5
    assert peak < 1 << 25
    assert "NUL characters: 33,554,432, in sparse; the data may be binary" in text.notes[0]


def test_binary_file_in_folder_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("folder").mkdir()
    hole("folder/disk.img", 1 << 26, b"end")
    Path("folder/text").write_text("some words")
    taken = []
    chunks = sources.chunks

    def counted(path: Path) -> Iterator[bytes]:
        for chunk in chunks(path):
            taken.append(len(chunk))
            yield chunk

    monkeypatch.setattr(sources, "chunks", counted)
    assert read("folder").notes[1:] == ("skipped, binary, with NUL inside: 1 (folder/disk.img)",)
    assert sum(taken) < 1 << 23


def test_binary_file_raises() -> None:
    content = bytes(range(256)) * 8
    with pytest.raises(TextError, match=r"text is not utf-8: byte 0x80 at offset 128, line 3.*\n?.*`--encoding bytes`"):
        training_characters(content)
    text = read("text", "bytes")
    require_enough_text(text, T)
    assert text.text.encode("latin-1") == content


def test_invalid_utf_8_error_names_byte() -> None:
    with pytest.raises(TextError, match="text is not utf-8: byte 0xe9 at offset 103, line 2"):
        training_characters(b"x" * 99 + b"\ncaf\xe9s")
    assert read("text", "bytes").text.endswith("caf\xe9s")


def test_byte_order_mark_is_removed() -> None:
    assert training_characters("\ufeff" + "words " * 9) == "words " * 9


def test_crlf_becomes_lf() -> None:
    assert training_characters("words\r\n" * 9 + "\r") == "words\n" * 9 + "\n"


def test_nul_is_kept_with_note() -> None:
    text = text_of("words\0" * 9)
    assert text.text == "words\0" * 9
    assert text.notes == ("NUL characters: 9, in text; the data may be binary",)


def test_lone_surrogates_raise() -> None:
    with pytest.raises(TextError, match="text is not utf-8: byte 0xed at offset 6"):
        training_characters("words \ud800" * 9)
    Path("text").write_bytes(b"w\0o\0\x00\xd8r\0")
    with pytest.raises(TextError, match="is not utf-16"):
        read("text", "utf-16-le")


@pytest.mark.parametrize(
    "unit", ["שלום עולם, ", "مرحبا\u200f ", "\u202eabc\u202c"], ids=["Hebrew", "Arabic", "override"]
)
def test_right_to_left_text_is_unchanged(unit: str) -> None:
    assert training_characters(unit * 9) == unit * 9


def test_combining_characters_are_unchanged() -> None:
    assert training_characters("e\u0301é" + "\u0301" * 1000) == "e\u0301é" + "\u0301" * 1000


def test_hundred_thousand_distinct_characters_are_read() -> None:
    characters = "".join(map(chr, [*range(0x20, 0xD800), *range(0xE000, 0x1A000)]))[:100_000]
    text = text_of(characters)
    assert len(text.vocabulary) == 100_000
    assert text.ids.dtype == np.uint32
    assert text.vocabulary.decode(text.ids[:]) == characters


@pytest.mark.parametrize("change", ["cut", "grown", "replaced"])
def test_file_that_changes_during_reading_ends_without_hanging(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    monkeypatch.setattr(sources, "READ_BLOCK_BYTES", 20_000)
    chunks = sources.chunks

    def changing(path: Path) -> Iterator[bytes]:
        for number, chunk in enumerate(chunks(path)):
            if number == 0:
                {"cut": lambda: os.truncate(path, 500), "grown": append, "replaced": replace}[change]()
            yield chunk

    def append() -> None:
        with Path("text").open("ab") as file:
            file.write(b"more" * 100)

    def replace() -> None:
        Path("new").write_bytes(b"\xff" * 5000)
        Path("new").replace("text")

    monkeypatch.setattr(sources, "chunks", changing)
    text = text_of("word" * 25_000).text
    whole = "word" * 25_000
    if change == "cut":  # the file object may have read a part ahead
        assert whole.startswith(text)
        assert 20_000 <= len(text) < 40_000
    else:
        assert text == whole + ("more" * 100 if change == "grown" else "")


def test_file_in_folder_that_becomes_undecodable_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("folder").mkdir()
    Path("folder/text").write_text("some words")

    def change(path: Path, *_: str) -> None:
        path.write_bytes(b"\xff")

    monkeypatch.setattr("recurra.text.reading._reason_to_skip", change)
    with pytest.raises(TextError, match="folder/text is not utf-8: byte 0xff at offset 0"):
        read("folder")


def test_pipe_is_read_to_its_end() -> None:
    with filled_pipe(Path("pipe"), b"words " * 9):
        assert read("pipe").text == "words " * 9


def test_folders_with_links_to_each_other_are_read_once() -> None:
    Path("a/b").mkdir(parents=True)
    Path("a/b/up").symlink_to(Path("a").resolve())
    Path("a/b/loop").symlink_to("loop")
    Path("a/text").write_text("some words")
    assert read("a").text == "some words"
    with pytest.raises(TextError, match="loop cannot be read"):
        read("a/b/loop")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_file_without_read_permission_raises() -> None:
    Path("text").write_text("words")
    Path("text").chmod(0)
    with pytest.raises(TextError, match="text cannot be read: permission denied"):
        read("text")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the text is empty"),
        (b"a", "the text has only one character"),
        (b"a" * 99, "every character of the text is 'a'"),
        (b"\0" * 99, r"every character of the text is '\x00'"),
        (b"abc", "needs 26"),
        (b"\xff" * 99, "byte 0xff at offset 0"),
        (b"\x1b[2J\xff", "byte 0xff at offset 4"),
        (b"\xed\xa0\x80" * 99, "byte 0xed at offset 0"),
    ],
)
def test_no_traceback_at_the_command_line(capfd: pytest.CaptureFixture[str], content: bytes, words: Any) -> None:
    Path("text").write_bytes(content)
    assert main(["train", "text", "--preset", "classic", "--run", "run"]) == 3
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert words in err
    assert "Traceback" not in err
    assert not Path("run").exists()

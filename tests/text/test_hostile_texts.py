"""Texts from anywhere, one test each: read as they are, or refused in words, and never without an end.

How each is decoded, joined and counted is tested beside the code: `test_decoding`, `test_files`, `test_long_text`.
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


def given(content: bytes | str) -> Text:
    """The text of a file with this content."""
    Path("text").write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return read("text")


def learnable(content: bytes | str) -> str:
    """The characters of a text that can be learned from, encoded and decoded."""
    text = given(content)
    require_enough_text(text, T)
    return text.vocabulary.decode(text.ids[:])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(id_file, "cache_folder", lambda: tmp_path / "cache")


def test_empty() -> None:
    with pytest.raises(TextError, match="the text is empty: there is nothing to learn from"):
        learnable("")


def test_one_character() -> None:
    with pytest.raises(TextError, match="the text has only one character"):
        learnable("a")


def test_one_distinct_character() -> None:
    with pytest.raises(TextError, match="every character of the text is 'a': there is nothing to predict"):
        learnable("a" * 1000)


def test_shorter_than_the_sequence() -> None:
    with pytest.raises(TextError, match="the text has 25 characters, but one sequence of 25 needs 26"):
        learnable("ab" * 12 + "a")
    assert len(learnable("ab" * 13)) == 26


def hole(name: str, size: int, end: bytes = b"") -> Path:
    """A file of NULs that takes no room, and `end` behind them; skips where the file system has no holes."""
    with Path(name).open("wb") as file:
        file.truncate(size)
        file.seek(size)
        file.write(end)
    if not end and not sources.is_sparse(Path(name)):
        pytest.skip("this file system does not tell holes from data")
    return Path(name)


def test_a_hole_of_ten_gigabytes_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    path = hole("sparse", 10 * 2**30)
    monkeypatch.setattr(sources, "chunks", lambda _: pytest.fail("it was read"))
    for encoding in ("utf-8", "bytes"):
        with pytest.raises(TextError, match="sparse is a sparse file without data: it would read as NULs only"):
            read(path, encoding)


def test_a_hole_in_a_folder_is_left_out_unread() -> None:
    Path("folder").mkdir()
    hole("folder/sparse", 10 * 2**30)
    Path("folder/text").write_text("some words")
    text = read("folder")
    assert text.text == "some words"
    assert text.notes[1:] == ("skipped, without data: 1 (folder/sparse)",)


def test_a_hole_with_something_behind_it_is_read_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_text, "IN_MEMORY", 1 << 20)
    path = hole("sparse", 1 << 25, b"words")
    tracemalloc.start()
    text = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(text) == (1 << 25) + 5
    assert peak < 1 << 25
    assert "NUL characters: 33,554,432, in sparse; is it binary" in text.notes[0]


def test_a_binary_file_in_a_folder_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_binary() -> None:
    content = bytes(range(256)) * 8
    with pytest.raises(TextError, match=r"text is not utf-8: byte 0x80 at offset 128, line 3.*\n?.*`--encoding bytes`"):
        learnable(content)
    text = read("text", "bytes")
    require_enough_text(text, T)
    assert text.text.encode("latin-1") == content


def test_invalid_utf_8_names_the_byte() -> None:
    with pytest.raises(TextError, match="text is not utf-8: byte 0xe9 at offset 103, line 2"):
        learnable(b"x" * 99 + b"\ncaf\xe9s")
    assert read("text", "bytes").text.endswith("caf\xe9s")


def test_a_byte_order_mark() -> None:
    assert learnable("\ufeff" + "words " * 9) == "words " * 9


def test_crlf() -> None:
    assert learnable("words\r\n" * 9 + "\r") == "words\n" * 9 + "\n"


def test_nul() -> None:
    text = given("words\0" * 9)
    assert text.text == "words\0" * 9
    assert text.notes == ("NUL characters: 9, in text; is it binary?",)


def test_lone_surrogates() -> None:
    with pytest.raises(TextError, match="text is not utf-8: byte 0xed at offset 6"):
        learnable("words \ud800" * 9)
    Path("text").write_bytes(b"w\0o\0\x00\xd8r\0")
    with pytest.raises(TextError, match="is not utf-16"):
        read("text", "utf-16-le")


@pytest.mark.parametrize(
    "unit", ["שלום עולם, ", "مرحبا\u200f ", "\u202eabc\u202c"], ids=["Hebrew", "Arabic", "override"]
)
def test_right_to_left(unit: str) -> None:
    assert learnable(unit * 9) == unit * 9


def test_combining_characters_stay_as_they_are() -> None:
    assert learnable("e\u0301é" + "\u0301" * 1000) == "e\u0301é" + "\u0301" * 1000


def test_a_hundred_thousand_distinct_characters() -> None:
    characters = "".join(map(chr, [*range(0x20, 0xD800), *range(0xE000, 0x1A000)]))[:100_000]
    text = given(characters)
    assert len(text.vocabulary) == 100_000
    assert text.ids.dtype == np.uint32
    assert text.vocabulary.decode(text.ids[:]) == characters


@pytest.mark.parametrize("change", ["cut", "grown", "replaced"])
def test_a_file_that_changes_while_it_is_read(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
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
    text = given("word" * 25_000).text
    whole = "word" * 25_000
    if change == "cut":  # a part of what is gone may have been read ahead
        assert whole.startswith(text)
        assert 20_000 <= len(text) < 40_000
    else:
        assert text == whole + ("more" * 100 if change == "grown" else "")


def test_a_file_in_a_folder_that_is_no_text_any_more_when_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("folder").mkdir()
    Path("folder/text").write_text("some words")
    unfit = "recurra.text.reading._reason_to_skip"

    def change(path: Path, *_: str) -> None:
        path.write_bytes(b"\xff")

    monkeypatch.setattr(unfit, change)
    with pytest.raises(TextError, match="folder/text is not utf-8: byte 0xff at offset 0"):
        read("folder")


def test_a_pipe_is_read_to_its_end() -> None:
    with filled_pipe(Path("pipe"), b"words " * 9):
        assert read("pipe").text == "words " * 9


def test_folders_that_lead_into_one_another() -> None:
    Path("a/b").mkdir(parents=True)
    Path("a/b/up").symlink_to(Path("a").resolve())
    Path("a/b/loop").symlink_to("loop")
    Path("a/text").write_text("some words")
    assert read("a").text == "some words"
    with pytest.raises(TextError, match="loop cannot be read"):
        read("a/b/loop")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read() -> None:
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

"""Sources of every kind become one Text; invalid sources raise an error with a hint."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processes import filled_pipe
from recurra.errors import TextError, UsageError
from recurra.text import named_books
from recurra.text.reading import from_string, read, require_enough_text
from recurra.text.text import Text


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_file_becomes_text_with_name_and_source() -> None:
    Path("My book.txt").write_bytes("naïve\n".encode())
    text = read("My book.txt")
    assert (text.text, text.name, text.encoding, text.notes) == ("naïve\n", "My-book", "utf-8", ())
    assert text.source == (str(Path.cwd() / "My book.txt"),)
    assert text.sha256 == hashlib.sha256("naïve\n".encode()).hexdigest()
    assert read(["My book.txt"]) == read(Path("My book.txt")) == text


def test_no_source_reads_default_book(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read() == read([]) == read("kjv") == named_books.book("kjv")
    monkeypatch.setattr(
        named_books, "default_book", lambda: Text("docs", "python-docs", ("python-docs",), notes=("hint",))
    )
    assert read().notes == ("hint",)


def test_book_not_installed_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(TextError, match=r"kjv is not installed\.\nhint: pip install 'recurra\[books\]'"):
        read("kjv")


def test_book_with_encoding_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_books, "book", lambda name: Text("é", name, (name,)))
    text = read("kjv", "bytes")
    assert (text.text, text.encoding, text.name) == ("\xc3\xa9", "bytes", "kjv")


def test_book_name_precedes_file_of_same_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_books, "book", lambda name: Text("the book", name, (name,)))
    Path("kjv").write_text("the file")
    assert read("kjv").text == "the book"
    assert read("kjv").notes == ("kjv was read as the book of this name; write ./kjv for the file or folder",)
    assert read("./kjv").text == read(Path("kjv")).text == "the file"
    assert read("./kjv").name == "kjv"


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("kvj", "did you mean the book kjv?"),
        ("KJV", "did you mean the book kjv?"),
        ("python_docs", "did you mean the book python-docs?"),
        ("no/such/file.txt", "the books are kjv, python-docs."),
        ("../nothing", "the books are kjv, python-docs."),
    ],
)
def test_unknown_source_raises_with_suggestion(source: str, hint: str) -> None:
    message = f"{source} is neither a book nor an existing file or folder.\nhint: {hint}"
    with pytest.raises(TextError, match=f"^{re.escape(message)}$"):
        read(source)


def test_long_source_name_is_shortened_in_error() -> None:
    with pytest.raises(TextError, match=r"^(To be, or not ){5}To be, or …? is neither|^.{80}… is neither"):
        read("To be, or not " * 1000)
    with pytest.raises(TextError, match=r"a\\x00b is neither a book"):
        read("a\0b")


def test_empty_source_name_raises() -> None:
    with pytest.raises(UsageError, match="the name of a text must not be empty"):
        read("")


def test_unknown_encoding_raises_before_reading() -> None:
    with pytest.raises(UsageError, match="`encoding` must be a text encoding"):
        read("nothing", "rot13")


def test_standard_input() -> None:
    text = read("-", stdin=io.BytesIO(b"a\r\nb"))
    assert (text.text, text.name, text.source) == ("a\nb", "stdin", ("-",))
    assert text.notes == ("line ends converted from CRLF or CR to LF: 1, in standard input",)
    with pytest.raises(TextError, match="standard input is not utf-8: byte 0xff at offset 0, line 1"):
        read("-", stdin=io.BytesIO(b"\xff"))
    with pytest.raises(UsageError, match=r"standard input .* can be read only once"):
        read(["-", "-"], stdin=io.BytesIO(b"a"))


def test_file_named_dash_is_read_as_path() -> None:
    Path("-").write_text("a file")
    assert read("./-").text == read(Path("-")).text == "a file"
    assert read("./-").name == "text"


def test_sources_are_joined_in_order() -> None:
    Path("b.txt").write_text("b")
    Path("a.txt").write_text("a\n")
    Path("none.txt").write_text("")
    text = read(["b.txt", "none.txt", "a.txt", "-"], stdin=io.BytesIO(b"in"))
    assert text.text == "b\na\nin"
    assert text.name == "b+3-more"
    assert [Path(source).name for source in text.source] == ["b.txt", "none.txt", "a.txt", "-"]
    assert text.notes == (
        "empty: none.txt",
        "a newline was added after b.txt, which had none at its end",
    )


@given(st.lists(st.text("ab\n", max_size=4), min_size=1, max_size=4))
def test_joining_adds_only_newlines(parts: list[str]) -> None:
    paths = [Path(f"part-{i}") for i in range(len(parts))]
    for path, part in zip(paths, parts, strict=True):
        path.write_text(part)
    filled = [part for part in parts if part]
    ended = [part if part.endswith("\n") else part + "\n" for part in filled[:-1]]
    assert read(paths).text == "".join(ended + filled[-1:])


def test_notes_sum_counts_of_all_files() -> None:
    for name in "abcde":
        Path(name).write_bytes(b"\xef\xbb\xbfx\r\ny\r\n")
    assert read(list("abcde")).notes == (
        "a byte order mark was removed from a, b, c and 2 more",
        "line ends converted from CRLF or CR to LF: 10, in a, b, c and 2 more",
    )


@pytest.mark.parametrize("codec", ["latin-1", "utf-16", "utf-32", "cp1252", "utf-8-sig"])
def test_other_encodings_are_decoded(codec: str) -> None:
    Path("a.txt").write_bytes("déjà\r\nvu".encode(codec))
    text = read("a.txt", codec)
    assert text.text == "déjà\nvu"
    assert text.sha256 == hashlib.sha256("déjà\nvu".encode()).hexdigest()


def test_byte_order_mark_left_by_codec_is_removed() -> None:
    Path("a.txt").write_bytes("\ufeffa".encode("utf-16-le"))
    assert read("a.txt", "utf-16-le").text == "a"


def test_latin_1_file_read_as_utf_8_raises() -> None:
    Path("a.txt").write_bytes("un\ndéjà vu".encode("latin-1"))
    with pytest.raises(TextError, match=r"^a\.txt is not utf-8: byte 0xe9 at offset 4, line 2 .*\nhint: .*--encoding"):
        read("a.txt")


def test_utf_16_file_read_as_utf_8_raises() -> None:
    Path("a.txt").write_text("déjà vu", encoding="utf-16")
    with pytest.raises(TextError, match=r"a\.txt is not utf-8[\s\S]*`--encoding utf-16`"):
        read("a.txt")


@given(st.binary())
def test_encoding_bytes_reads_any_file(data: bytes) -> None:
    Path("a.bin").write_bytes(data)
    text = read("a.bin", "bytes")
    assert text.text.encode("latin-1") == data
    assert text.sha256 == hashlib.sha256(data).hexdigest()
    assert text.encoding == "bytes"


def test_nul_in_named_file_gives_note() -> None:
    Path("a.txt").write_bytes(b"a\0b")
    assert read("a.txt").text == "a\0b"
    assert read("a.txt").notes[0].startswith("NUL characters: 1, in a.txt; the data may be binary")


def test_folder_files_are_joined_and_others_noted() -> None:
    for name, data in {
        "b.txt": b"b",
        "a/z.txt": b"z\r\n",
        "a-b.txt": b"a-b",
        "a/empty": b"",
        "image.png": b"\x89PNG\0",
        "program": b"\x7fELF\0\0",
        "old.txt": b"caf\xe9",
        ".hidden": b"hidden",
        ".git/config": b"git",
        "{names} \n": b"odd",
    }.items():
        path = Path("My folder", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    os.mkfifo("My folder/fifo")
    text = read("My folder")
    assert text.text == "a-b\nz\nb\nodd"
    assert text.name == "My-folder"
    assert [Path(source).relative_to(Path.cwd()).as_posix() for source in text.source] == [
        "My folder/a-b.txt",
        "My folder/a/z.txt",
        "My folder/b.txt",
        "My folder/{names} \n",
    ]
    assert set(text.notes) == {
        "taken from folders: 4 files, 9 characters: .txt 3 (66.7 %), no suffix 1 (33.3 %)",
        "skipped, hidden: 2 (My folder/.git, My folder/.hidden)",
        "skipped, not a regular file: 1 (My folder/fifo)",
        "skipped, empty: 1 (My folder/a/empty)",
        "skipped, not utf-8: 2 (My folder/image.png, My folder/old.txt)",
        "skipped, compiled program: 1 (My folder/program)",
        "line ends converted from CRLF or CR to LF: 1, in My folder/a/z.txt",
        "a newline was added after My folder/a-b.txt, My folder/b.txt, which had none at its end",
    }


def test_folder_with_other_encodings() -> None:
    Path("f").mkdir()
    Path("f/1").write_bytes("é\0".encode("utf-16"))
    Path("f/2").write_bytes("ü".encode("utf-16"))
    assert read("f", "utf-16").text == "ü"
    assert read("f", "bytes").text == "\xff\xfe\xe9\0\0\0\n\xff\xfe\xfc\0"


def test_working_directory_can_be_read_twice() -> None:
    Path("a").write_text("x")
    assert read(".").text == "x"
    assert read(".").name == Path.cwd().name
    assert read([".", "a"]).text == "x\nx"


def test_folder_without_text_raises() -> None:
    Path("f").mkdir()
    with pytest.raises(TextError, match=r"^the folder f holds no text\.$"):
        read("f")
    Path("f/a").write_bytes(b"\xff")
    Path("f/.b").write_bytes(b"b")
    message = "the folder f holds no text (skipped, hidden: 1 (f/.b); skipped, not utf-8: 1 (f/a)).\nhint: give its"
    with pytest.raises(TextError, match=re.escape(message)):
        read("f")


def test_unreadable_file_in_folder_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *arguments: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    Path("f").mkdir()
    Path("f/a").write_text("a")
    monkeypatch.setattr(Path, "open", refuse)
    for source in ("f", "f/a"):
        with pytest.raises(TextError, match=r"f/a cannot be read: permission denied\.\nhint: check its permissions"):
            read(source)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_device_as_source_raises(device: str) -> None:
    with pytest.raises(TextError, match=f"^{device} is neither a file .*, but a character device\\.\nhint: `-` reads"):
        read(device)


def test_pipe_is_read_as_source() -> None:
    with filled_pipe(Path("fifo"), "é\n".encode() * 60_000):
        text = read("fifo")
    assert (text.text, text.name) == ("é\n" * 60_000, "pipe")


def test_file_descriptor_path_is_read() -> None:
    end, start = os.pipe()
    os.write(start, b"from a process\n")
    os.close(start)
    try:
        text = read(f"/dev/fd/{end}")
    finally:
        os.close(end)
    assert (text.text, text.name, text.source) == ("from a process\n", "pipe", (f"/dev/fd/{end}",))


def test_file_of_unknown_size_is_read() -> None:
    assert len(read("/proc/self/status").text) > 0


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.b.txt", "a.b"),
        (".profile", "profile"),
        ("a  b/c d", "c-d"),
        ("Капитанская дочка.txt", "Капитанская-дочка"),
        ("紅樓夢", "紅樓夢"),
        ("cafe\u0301", "café"),
        ("...", "text"),
        ("💥", "text"),
        ("$(rm -rf)\n.txt", "rm-rf"),
        ("x" * 100, "x" * 60),
    ],
)
def test_text_names_are_valid_folder_names(path: str, name: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("text")
    assert read(path).name == name


def test_source_with_odd_name_can_be_read_again() -> None:
    for name in (os.fsdecode(b"\xff.txt"), "a\nb", "x" * 250):
        Path(name).write_text("text of " + name[:3], errors="surrogateescape", encoding="latin-1")
        text = read(name, "latin-1")
        assert text.source == (str(Path.cwd() / name),)
        assert read(list(text.source), "latin-1") == text


def test_string_becomes_text() -> None:
    text = from_string("\ufeffa\r\nb", name="my notes")
    assert (text.text, text.name, text.source, text.encoding) == ("a\nb", "my-notes", ("text",), "utf-8")
    assert len(text.notes) == 2
    assert from_string("a").name == "text"
    assert from_string("é\r", encoding="bytes").text == "\xc3\xa9\r"


def test_value_that_is_not_a_string_raises() -> None:
    with pytest.raises(UsageError, match="`text` must be a str; got b'a'"):
        from_string(b"a")  # type: ignore[arg-type]
    with pytest.raises(TextError, match=r"the text has a lone surrogate, U\+D800, at character 1"):
        from_string("a\ud800")


@pytest.mark.parametrize(
    ("text", "B", "message"),
    [
        ("", 1, "the text is empty: there is nothing to learn from."),
        ("a", 1, "the text has only one character: there is nothing to predict."),
        ("a" * 100, 1, "every character of the text is 'a': there is nothing to predict."),
        ("\n\n", 1, "every character of the text is '\\n': there is nothing to predict."),
        ("ab" * 10, 1, "the text has 20 characters, but one sequence of 25 needs 26.\nhint: give more text"),
        ("ab" * 50, 4, "the text has 100 characters, but one update of 4 sequences of 25 needs 101."),
    ],
)
def test_text_too_short_or_uniform_raises(text: str, B: int, message: str) -> None:
    with pytest.raises(TextError, match=re.escape(message)) as raised:
        require_enough_text(from_string(text), 25, B)
    assert raised.value.exit_code == 3


def test_shortest_allowed_text_passes() -> None:
    require_enough_text(from_string("ab" * 13), 25)
    require_enough_text(from_string("ab" * 50 + "a"), 25, 4)
    require_enough_text(from_string("ab"), 1)


def test_too_short_part_after_split_raises() -> None:
    text = from_string("ab" * 14)
    require_enough_text(text, 25, validation=0.07)
    with pytest.raises(
        TextError, match=r"has 28 characters, 25 of them for training, but one sequence of 25 needs 26\."
    ):
        require_enough_text(text, 25, validation=0.1)
    with pytest.raises(
        TextError,
        match=r"`validation` 0\.01 holds out 1 of the text's 28 characters; the held-out part needs",
    ):
        require_enough_text(text, 25, validation=0.01)
    with pytest.raises(
        TextError, match=r"`test` 0\.01 holds out 1 of the text's 28 characters; the held-out part needs"
    ):
        require_enough_text(text, 5, validation=0.5, test=0.01)


def test_uniform_bytes_raise() -> None:
    with pytest.raises(TextError, match=r"every byte of the text is '\\x00'"):
        require_enough_text(from_string("\0\0", encoding="bytes"), 1)

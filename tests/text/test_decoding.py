"""Strict decoding, errors with byte and line, and notes on changed characters."""

from __future__ import annotations

import contextlib
import hashlib
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recurra.errors import TextError, UsageError
from recurra.text import formats
from recurra.text.decoding import (
    check_encoding,
    decode_text,
    normalize,
    normalize_chunks,
    reject_surrogates,
)
from recurra.text.notes import Journal
from recurra.text.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

ENCODINGS = (
    "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "utf-7", "ascii", "cp1252",
    "koi8-r", "shift_jis", "euc_jp", "gb18030", "big5", "unicode_escape", "iso2022_jp", "hz",
)  # fmt: skip
CODEC = st.sampled_from([check_encoding(encoding) for encoding in ENCODINGS])


def pieces(data: Any, size: int) -> Iterator[Any]:
    """Cut `data` into pieces of `size` bytes."""
    return (data[start : start + size] for start in range(0, len(data), size))


def at_once(data: bytes, encoding: str) -> str:
    """Return the characters, or the message of the error, with a decoder that reads all bytes at once."""
    try:
        text = data.decode(encoding)
        reject_surrogates(text, "a.txt")
    except UnicodeDecodeError as error:
        offset = min(max(error.start + len(data) - len(error.object), 0), len(data) - 1)
        before = data[:offset].decode(encoding, "replace").replace("\r\n", "\n").replace("\r", "\n")
        place = f"byte 0x{data[offset]:02x} at offset {offset:,}, line {before.count(chr(10)) + 1:,} ({error.reason})"
        return f"a.txt is not {encoding}: {place}."
    except UnicodeError as error:
        return f"a.txt is not {encoding}: {error}."
    except TextError as error:
        return error.message
    return text


def decode(data: bytes, name: str, encoding: str) -> str:
    """Decode all bytes as one piece."""
    return "".join(decode_text(iter([data]), name, encoding))


def in_pieces(data: bytes, encoding: str, size: int) -> str:
    try:
        return "".join(decode_text(pieces(data, size), "a.txt", encoding))
    except TextError as error:
        return error.message


def notes_of(text: str) -> tuple[str, tuple[str, ...]]:
    journal = Journal()
    return normalize(text, "a.txt", journal), journal.notes()


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("utf-8", "utf-8"),
        ("UTF8", "utf-8"),
        ("latin-1", "iso8859-1"),
        ("utf-16", "utf-16"),
        ("koi8-r", "koi8-r"),
        ("utf-8-sig", "utf-8-sig"),
        ("bytes", "bytes"),
        ("Bytes", "bytes"),
    ],
)
def test_text_codecs_and_their_names(given: str, name: str) -> None:
    assert check_encoding(given) == name


@pytest.mark.parametrize(
    "encoding", ["rot13", "base64", "zlib", "hex", "undefined", "utf-9", "", "a\0b", "\ud800", 8, None]
)
def test_codec_that_is_not_for_text_raises(encoding: str) -> None:
    with pytest.raises(UsageError, match=r"`encoding` must be a text encoding of Python, or `bytes`; got"):
        check_encoding(encoding)


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.sampled_from(["utf-8", "utf-16", "utf-32-be", "utf-7"]),
)
def test_decoding_inverts_encoding_for_every_codec(text: str, encoding: str) -> None:
    data = text.encode(encoding)
    assume(formats.recognize(data) is None and formats.unmarked_unicode(data) is None)
    assert decode(data, "a.txt", encoding) == text


@given(st.text(st.characters(exclude_categories=["Cs"])), CODEC, st.integers(1, 9))
def test_pieces_may_be_cut_anywhere(text: str, encoding: str, size: int) -> None:
    data = text.encode(encoding, "ignore")
    assume(formats.recognize(data) is None and formats.unmarked_unicode(data) is None)
    assert in_pieces(data, encoding, size) == at_once(data, encoding)


@given(st.binary(max_size=60) | st.text("aé\r\n書😀\ud800").map(lambda text: text.encode("utf-8", "surrogatepass")),
       CODEC, st.integers(1, 9))  # fmt: skip
def test_errors_do_not_depend_on_cuts(data: bytes, encoding: str, size: int) -> None:
    assume(formats.recognize(data) is None and formats.unmarked_unicode(data) is None)
    assert in_pieces(data, encoding, size) == at_once(data, encoding)


@pytest.mark.parametrize("size", range(1, 12))
def test_line_number_of_error_after_cut_line_ends(size: int) -> None:
    data = "é\r\n書\r\r\n\n".encode() * 100 + b"\r\n\xff"
    with pytest.raises(TextError, match=r"byte 0xff at offset 1,102, line 402 \(invalid start byte\)"):
        list(decode_text(pieces(data, size), "a.txt", "utf-8"))


@given(st.text("a\r\n\ufeff\0"), st.integers(1, 5))
def test_normalized_chunks_equal_normalized_text(text: str, size: int) -> None:
    journal = Journal()
    found = "".join(normalize_chunks(pieces(text, size), "a.txt", journal))
    assert (found, journal.notes()) == notes_of(text)


@given(st.binary())
def test_encoding_bytes_keeps_every_byte(data: bytes) -> None:
    text = Text(decode(data, "a.bin", "bytes"), "a", encoding="bytes")
    assert [ord(c) for c in text.text] == list(data)
    assert text.sha256 == hashlib.sha256(data).hexdigest()
    assert text.is_bytes


@pytest.mark.parametrize(
    ("data", "encoding", "message"),
    [
        (
            b"caf\xe9 au lait",
            "utf-8",
            "a.txt is not utf-8: byte 0xe9 at offset 3, line 1 (invalid continuation",
        ),
        (b"a\nb\nc\xff", "utf-8", "a.txt is not utf-8: byte 0xff at offset 5, line 3 (invalid start byte)."),
        (b"a\r\nb\rc\xff", "utf-8", "byte 0xff at offset 6, line 3"),
        (b"\n" * 1500 + b"\xff", "utf-8", "offset 1,500, line 1,501"),
        (b"\xef\xbb\xbfab\n\xff", "utf-8-sig", "byte 0xff at offset 6, line 2"),
        (b"a\n\xe2\x82", "utf-8", "byte 0xe2 at offset 2, line 2 (unexpected end of data)"),
        ("a\n\u010aב".encode("utf-16-le") + b"\x00\xd8", "utf-16-le", "byte 0x00 at offset 8, line 2"),
        (b"\xff\xfea\x00\n\x00b", "utf-16", "byte 0x62 at offset 6, line 2 (truncated data)"),
        (
            b"a\n\x80",
            "ascii",
            "a.txt is not ascii: byte 0x80 at offset 2, line 2 (ordinal not in range(128))",
        ),
        (b"a\n\x81", "cp1252", "byte 0x81 at offset 2, line 2 (character maps to <undefined>)"),
        (b"a\n\x82", "shift_jis", "byte 0x82 at offset 2, line 2 (incomplete multibyte sequence)"),
    ],
)
def test_decoding_error_names_byte_offset_and_line(data: bytes, encoding: str, message: str) -> None:
    with pytest.raises(TextError, match=re.escape(message)) as raised:
        decode(data, "a.txt", encoding)
    assert raised.value.exit_code == 3
    assert raised.value.hint == (
        "give its encoding, for example `--encoding latin-1`; `--encoding bytes` reads any file."
    )


@pytest.mark.parametrize("codec", ["utf-16", "utf-32"])
@pytest.mark.parametrize("order", ["-le", "-be"])
def test_marked_utf16_and_utf32_are_recognized(codec: str, order: str) -> None:
    data = ("\ufeff" + "schön").encode(codec + order)
    with pytest.raises(TextError, match=f"is not utf-8.*\nhint: .*`--encoding {codec}`"):
        decode(data, "a.txt", "utf-8")
    assert decode(data, "a.txt", codec) == "schön"


@pytest.mark.parametrize("data", [b"\xff" * 70, b"xn--" + b"\xff"])
def test_codec_without_positions(data: bytes) -> None:
    with pytest.raises(TextError, match=r"a\.txt is not (idna|punycode)"):
        decode(data, "a.txt", "idna")


def test_line_number_with_codec_without_replacement() -> None:
    with pytest.raises(TextError, match=r"a\.txt is not punycode"):
        decode(b"a\n\xff\xff", "a.txt", "punycode")


@given(
    st.binary(max_size=40),
    st.sampled_from(["utf-8", "utf-16", "utf-7", "idna", "punycode", "iso2022_jp", "hz"]),
)
def test_any_bytes_decode_or_raise_text_error(data: bytes, encoding: str) -> None:
    with contextlib.suppress(TextError):
        decode(data, "a.txt", encoding).encode("utf-8")


@pytest.mark.parametrize(
    ("data", "encoding"),
    [(b"ab+2AA-", "utf-7"), (rb"ab\ud800", "unicode_escape"), (rb"ab\ud800", "raw_unicode_escape")],
)
def test_surrogates_from_lenient_codecs_raise(data: bytes, encoding: str) -> None:
    with pytest.raises(TextError, match=r"a\.txt has a lone surrogate, U\+D800, at character 2: it is no character"):
        decode(data, "a.txt", encoding)


def test_reject_surrogates_names_position() -> None:
    reject_surrogates("\U0010ffff\ud7ff\ue000", "the text")
    with pytest.raises(TextError, match=r"the text has a lone surrogate, U\+DFFF, at character 1,000"):
        reject_surrogates("a" * 1000 + "\udfff", "the text")


@pytest.mark.parametrize(
    ("text", "normal", "notes"),
    [
        ("", "", ()),
        ("a\nb\u2028\x85\x0bc", "a\nb\u2028\x85\x0bc", ()),
        ("a\r\nb\rc\n\r", "a\nb\nc\n\n", ("line ends converted from CRLF or CR to LF: 3, in a.txt",)),
        ("\ufeffa\ufeff", "a\ufeff", ("a byte order mark was removed from a.txt",)),
        ("\ufeff", "", ("a byte order mark was removed from a.txt",)),
        (
            "a\0b\0",
            "a\0b\0",
            ("NUL characters: 2, in a.txt; the data may be binary",),
        ),
    ],
)
def test_normalization_and_its_notes(text: str, normal: str, notes: tuple[str, ...]) -> None:
    assert notes_of(text) == (normal, notes)


@given(st.text("a\r\n\ufeff"))
def test_normalization_equals_universal_newlines(text: str) -> None:
    normal, _ = notes_of(text)
    assert normal == text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    assert "\r" not in normal

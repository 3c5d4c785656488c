"""Decode bytes strictly, convert all line ends to LF, and count every change."""

from __future__ import annotations

import codecs
import itertools
import sys
from typing import TYPE_CHECKING

from recurra.config import arguments
from recurra.errors import TextError, UsageError
from recurra.text import formats
from recurra.text.text import BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from recurra.text.notes import Journal

ENCODING_HINT = f"give its encoding, for example `--encoding latin-1`; `--encoding {BYTES}` reads any file."
BINARY_HINT = f"it looks binary: give a file of plain text; `--encoding {BYTES}` reads the bytes of any file."

MARK_REMOVED = "a byte order mark was removed from {names}"
LINE_ENDS = "line ends converted from CRLF or CR to LF: {count}, in {names}"
NULS = "NUL characters: {count}, in {names}; the data may be binary"

_INDIVISIBLE = ("idna", "punycode", "utf-7", "unicode-escape", "raw-unicode-escape")  # codecs that need a whole file
_WIDE = ("utf-16", "utf-32")  # codecs whose texts have NUL bytes
_MARKS = (  # longest first: UTF-16's little-endian mark begins UTF-32's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class UndecodableError(TextError):
    """Bytes that are invalid in the chosen encoding."""


class NotPlainTextError(TextError):
    """A file whose format is not plain text; `kind` is its group of formats, for the notes on a folder."""

    def __init__(self, message: str, *, kind: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind


def check_encoding(encoding: str) -> str:
    """Return Python's name of a text codec, or `bytes`; raise UsageError for others like `rot13`."""
    encoding = arguments.unwrap_numpy(encoding)
    if isinstance(encoding, str) and encoding.lower() == BYTES:
        return BYTES
    try:
        b" ".decode(encoding)
    except UnicodeDecodeError:
        pass  # a text codec in which one space is incomplete: UTF-16
    except (LookupError, ValueError, TypeError):
        raise UsageError(
            f"`encoding` must be a text encoding of Python, or `{BYTES}`; got {encoding!r}.",
            hint="usual encodings are utf-8, utf-16, latin-1, cp1252, koi8-r, gb18030, shift_jis.",
        ) from None
    return codecs.lookup(encoding).name


def decode_text(pieces: Iterator[bytes], name: str, encoding: str) -> Iterator[str]:
    """Decode `pieces` strictly; they may be cut anywhere, within a character too.

    Raises UndecodableError with `name`, the offset of the invalid byte and its line. Raises NotPlainTextError for a
    compressed file, a document or an image, with a command that extracts the text. With encoding `bytes`, every format
    is accepted.
    """
    head = _head(pieces)
    if encoding != BYTES:
        _require_plain_text(head, name, encoding)
    pieces = itertools.chain([head], pieces)
    start = 0  # position of the first character of `text`
    for text in (
        _decoded_at_once(pieces, name, encoding) if encoding in _INDIVISIBLE else _Decoder(name, encoding).run(pieces)
    ):
        reject_surrogates(text, name, start)
        start += len(text)
        yield text


def _require_plain_text(head: bytes, name: str, encoding: str) -> None:
    """Raise NotPlainTextError if a file that begins with `head` has a known format other than plain text."""
    format = formats.recognize(head)
    if format is not None:
        raise NotPlainTextError(f"{name} is {format.name}, not plain text.", kind=format.kind, hint=format.hint(name))
    if encoding.startswith(_WIDE) or _marked(head) is not None:
        return
    if (codec := formats.unmarked_unicode(head)) is not None:
        raise NotPlainTextError(
            f"{name} looks like {codec} without a byte order mark, not {encoding}.",
            kind=formats.UNMARKED,
            hint=f"give its encoding: `--encoding {codec}`.",
        )


def _decoded_at_once(pieces: Iterable[bytes], name: str, encoding: str) -> Iterator[str]:
    """Join all pieces and decode them in one call."""
    data = b"".join(pieces)
    try:
        yield data.decode(encoding)
    except UnicodeDecodeError as error:
        offset = min(max(error.start + len(data) - len(error.object), 0), len(data) - 1)
        before = _leniently(data[:offset], encoding)
        raise _undecodable(name, encoding, error, data, offset, _line_ends(before) + 1) from None
    except UnicodeError as error:  # codecs written in Python report no position
        raise _without_position(name, encoding, error) from None


class _Decoder:
    """Decode a file piece by piece, and count its bytes and lines for error messages."""

    def __init__(self, name: str, encoding: str) -> None:
        self.name, self.encoding = name, encoding
        self._read = 0  # bytes, including the current piece
        self._lines = 0  # line ends in the decoded text
        self._after_return = False  # True if the decoded text ends with CR, which may begin a CRLF

    def run(self, pieces: Iterator[bytes]) -> Iterator[str]:
        """Yield the decoded text of `pieces`."""
        head = _head(pieces)
        codec = codecs.getincrementaldecoder(_codec(self.encoding, head))
        decoder = codec()
        for piece, final in _with_last(head, pieces):
            before = decoder.getstate()
            self._read += len(piece)
            try:
                text = decoder.decode(piece, final)
            except UnicodeDecodeError as error:
                again = codec("replace")
                again.setstate(before)
                raise self._error(error, head, piece, again) from None
            except UnicodeError as error:
                raise _without_position(self.name, self.encoding, error) from None
            self._count(text)
            if text:
                yield text

    def _count(self, text: str) -> None:
        self._lines += _line_ends(text) - (self._after_return and text.startswith("\n"))
        if text:
            self._after_return = text.endswith("\r")

    def _error(
        self, error: UnicodeDecodeError, head: bytes, piece: bytes, again: codecs.IncrementalDecoder
    ) -> UndecodableError:
        # `error.object` ends at the end of the piece, but may begin before the piece, or after a byte order mark.
        offset = min(self._read - len(error.object) + error.start, self._read - 1)
        good = piece[: max(offset - (self._read - len(piece)), 0)]
        self._count(again.decode(good))
        return _undecodable(self.name, self.encoding, error, head, offset, self._lines + 1)


def _head(pieces: Iterator[bytes]) -> bytes:
    """Return the first pieces joined: enough bytes to recognize the format and the byte order mark of the file."""
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= formats.SNIFFED:
            break
    return head


def _with_last(head: bytes, pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield `head` and each of `pieces` with a flag: True for the last."""
    piece = head
    for following in pieces:
        yield piece, False
        piece = following
    yield piece, True


def _codec(encoding: str, head: bytes) -> str:
    """Return the codec for a file that begins with `head`.

    Without a byte order mark, UTF-16 and UTF-32 have the byte order of the machine.
    """
    if encoding == BYTES:
        return "latin-1"
    if encoding in ("utf-16", "utf-32") and not any(head.startswith(m) for m, codec in _MARKS if codec == encoding):
        return f"{encoding}-{'le' if sys.byteorder == 'little' else 'be'}"
    return encoding


def _marked(head: bytes) -> str | None:
    """Return the codec of the byte order mark at the start of `head`; None if there is no mark."""
    return next((codec for mark, codec in _MARKS if head.startswith(mark)), None)


def _undecodable(
    name: str, encoding: str, error: UnicodeDecodeError, head: bytes, offset: int, line: int
) -> UndecodableError:
    bad = error.object[min(error.start, len(error.object) - 1)]
    marked = _marked(head)
    if marked is not None and not encoding.startswith(marked):
        hint = f"it begins with the byte order mark of {marked}: give `--encoding {marked}`."
    else:
        binary = formats.looks_binary(head) and not encoding.startswith(_WIDE)
        hint = BINARY_HINT if binary else ENCODING_HINT
    return UndecodableError(
        f"{name} is not {encoding}: byte 0x{bad:02x} at offset {offset:,}, line {line:,} ({error.reason}).",
        hint=hint,
    )


def _without_position(name: str, encoding: str, error: UnicodeError) -> UndecodableError:
    return UndecodableError(f"{name} is not {encoding}: {error}.", hint=ENCODING_HINT)


def _leniently(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding, "replace")
    except UnicodeError:
        return data.decode("latin-1")


def _line_ends(text: str) -> int:
    """Count the line ends: LF, CR and CRLF."""
    carriage_returns = text.count("\r")
    return text.count("\n") + carriage_returns - (text.count("\r\n") if carriage_returns else 0)


def reject_surrogates(text: str, name: str, start: int = 0) -> None:
    """Raise UndecodableError if `text` has a lone surrogate: half of a pair in UTF-16, which is not a character.

    `start` is the position of the first character of `text` in the source `name`.
    """
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UndecodableError(
            f"{name} has a lone surrogate, U+{ord(text[error.start]):04X}, at character {start + error.start:,}: "
            "it is no character and cannot be written."
        ) from None


def normalize(text: str, name: str, journal: Journal) -> str:
    """Remove a byte order mark and convert line ends to LF; add these changes and a count of NULs to `journal`."""
    return "".join(normalize_chunks([text], name, journal))


def normalize_chunks(chunks: Iterable[str], name: str, journal: Journal) -> Iterator[str]:
    """Apply `normalize` to chunks that may be cut anywhere; add to `journal` after the last chunk."""
    marks = carriage_returns = nuls = 0
    begun, held = False, ""  # `held` is a CR at the end of a chunk: LF may follow in the next chunk
    for chunk in filter(None, chunks):
        text = chunk
        if not begun and text.startswith("\ufeff"):
            marks, text = 1, text[1:]
        begun = True
        text = held + text if held else text
        if text.endswith("\r"):
            held, text = "\r", text[:-1]
        else:
            held = ""
        if count := text.count("\r"):
            carriage_returns += count
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        nuls += text.count("\0")
        yield text
    if held:
        carriage_returns += 1
        yield "\n"
    for kind, count in ((MARK_REMOVED, marks), (LINE_ENDS, carriage_returns), (NULS, nuls)):
        if count:
            journal.add(kind, name, count)

"""Bytes → characters: strict decoding, one form of line end, and an account of what was changed."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass, field

from recurra.errors import TextError, UsageError

BYTES = "bytes"
ENCODING_HINT = f"give its encoding, for example `--encoding latin-1`; `--encoding {BYTES}` reads any file."

MARK_REMOVED = "a byte order mark was removed from {names}"
LINE_ENDS = "line ends that were CRLF or CR and became LF: {count}, in {names}"
NULS = "NUL characters: {count}, in {names}; is it binary, or UTF-16 without a byte order mark?"

_SHOWN = 3
_MARKS = (  # longest first: UTF-16's little-endian mark begins UTF-32's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Text:
    """A text ready to be learned from.

    text      its characters, line ends LF; with encoding `bytes` chr(0) … chr(255), one for each byte
    name      a slug, usable as a folder's name: the book's name, the file's stem, `a+2-more`, `stdin`
    source    what was read, in order: a book's name, `-`, an absolute path, or `text` for a string
    encoding  Python's name of the codec, or `bytes`
    notes     what a user should be told: what was skipped, normalised, joined
    sha256    of the text as UTF-8, or of the bytes themselves; so a file that needed no change has the
              digest that `sha256sum` prints
    """

    text: str = field(repr=False)
    name: str
    source: tuple[str, ...] = ()
    encoding: str = "utf-8"
    notes: tuple[str, ...] = ()
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        data = self.text.encode("latin-1" if self.is_bytes else "utf-8")
        object.__setattr__(self, "sha256", hashlib.sha256(data).hexdigest())

    def __len__(self) -> int:
        return len(self.text)

    @property
    def is_bytes(self) -> bool:
        """Whether each symbol is a byte, not a character."""
        return self.encoding == BYTES


class Journal:
    """What happened while texts were read: kinds of event, and for each how often and in what."""

    def __init__(self) -> None:
        self._events: dict[str, dict[str, int]] = {}

    def add(self, kind: str, name: str = "", count: int = 1) -> None:
        """One more event; `kind` is the note to be, with {count} and {names} where those belong."""
        names = self._events.setdefault(kind, {})
        names[name] = names.get(name, 0) + count

    def say(self, note: str) -> None:
        """A note as it stands, once however often it is said."""
        self.add(note.replace("{", "{{").replace("}", "}}"))

    def notes(self) -> tuple[str, ...]:
        """One note for each kind of event, in the order in which the kinds first happened."""
        return tuple(
            kind.format(count=f"{sum(names.values()):,}", names=_listed(list(names)))
            for kind, names in self._events.items()
        )


def _listed(names: list[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")


def check_encoding(encoding: str) -> str:
    """Python's own name of a text codec, or `bytes`; UsageError for all else, `rot13` and `base64` too."""
    if isinstance(encoding, str) and encoding.lower() == BYTES:
        return BYTES
    try:
        b" ".decode(encoding)
    except UnicodeDecodeError:
        pass  # a text codec in which one space is incomplete: UTF-16
    except (LookupError, ValueError, TypeError):
        raise UsageError(
            f"`encoding` must be a text encoding that Python knows, or `{BYTES}`; got {encoding!r}.",
            hint="usual ones are utf-8, utf-16, latin-1, cp1252, koi8-r, gb18030, shift_jis.",
        ) from None
    return codecs.lookup(encoding).name


def decode(data: bytes, name: str, encoding: str) -> str:
    """The characters of `data`, strictly; TextError gives `name`, the offset of the bad byte and its line."""
    try:
        text = data.decode("latin-1" if encoding == BYTES else encoding)
    except UnicodeDecodeError as error:
        raise _undecodable(data, name, encoding, error) from None
    except UnicodeError as error:  # the codecs that are written in Python give no position
        raise TextError(f"{name} is not {encoding}: {error}.", hint=ENCODING_HINT) from None
    reject_surrogates(text, name)
    return text


def _undecodable(data: bytes, name: str, encoding: str, error: UnicodeDecodeError) -> TextError:
    offset = error.start + len(data) - len(error.object)  # some codecs count from behind the mark
    offset = min(max(offset, 0), len(data) - 1)
    line = _line(data[:offset], encoding)
    marked = next((codec for mark, codec in _MARKS if data.startswith(mark)), None)
    known = marked is None or encoding.startswith(marked)
    hint = ENCODING_HINT if known else f"it begins with the mark of {marked}: `--encoding {marked}`."
    return TextError(
        f"{name} is not {encoding}: byte 0x{data[offset]:02x} at offset {offset:,}, line {line:,} ({error.reason}).",
        hint=hint,
    )


def _line(before: bytes, encoding: str) -> int:
    """The number of the line, from 1, that follows the bytes `before`, whatever their line ends."""
    try:
        text = before.decode(encoding, "replace")
    except UnicodeError:
        text = before.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1


def reject_surrogates(text: str, name: str) -> None:
    """TextError where `text` has half of a surrogate pair: a number of UTF-16 that is no character."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise TextError(
            f"{name} has a lone surrogate, U+{ord(text[error.start]):04X}, at character {error.start:,}: "
            "it is no character and cannot be written."
        ) from None


def normalise(text: str, name: str, journal: Journal) -> str:
    """`text` without a byte order mark and with LF as its one line end; the journal is told, of NULs too."""
    if text.startswith("\ufeff"):
        text = text[1:]
        journal.add(MARK_REMOVED, name)
    if carriage_returns := text.count("\r"):
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        journal.add(LINE_ENDS, name, carriage_returns)
    if nuls := text.count("\0"):
        journal.add(NULS, name, nuls)
    return text

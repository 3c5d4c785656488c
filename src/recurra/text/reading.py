"""Read books, files, folders, standard input and strings into one Text."""

from __future__ import annotations

import difflib
import os
import re
import stat
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from recurra.config import arguments
from recurra.errors import TextError, UsageError
from recurra.formatting import quote_text
from recurra.text import model_files, named_books, sources
from recurra.text.decoding import (
    ENCODING_HINT,
    NotPlainTextError,
    UndecodableError,
    check_encoding,
    decode_text,
    normalize,
    normalize_chunks,
    reject_surrogates,
)
from recurra.text.long_text import LongText, collect_text
from recurra.text.notes import Inventory, Journal
from recurra.text.sources import printable_path
from recurra.text.streams import split_points
from recurra.text.text import BYTES, Text
from recurra.text.words import word_characters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Source = str | os.PathLike[str]

_JOINED = "a newline was added after {names}, which had none at its end"
_EMPTY = "empty: {names}"
_UNDECODED = "not {encoding}"
MOST_FILES = 1 << 20  # in one text


class _Piece(NamedTuple):
    """The characters of one book, file or stream, its name in messages, and its path or name in `Text.source`."""

    chunks: Iterable[str]
    label: str
    source: str


class _Reader(NamedTuple):
    """The state of one call of `read`; `names` has a slug for each source that was opened so far."""

    encoding: str
    journal: Journal
    inventory: Inventory
    stdin: BinaryIO | None
    names: list[str]
    keep: bool


def read(
    sources: Source | Sequence[Source] = (),
    encoding: str = "utf-8",
    *,
    stdin: BinaryIO | None = None,
    name: str | None = None,
    keep: bool = False,
) -> Text:
    """Read `sources` in order and join them; without sources, read the default book.

    Byte order marks are removed and line ends become LF; with `keep`, every character is unchanged.

    A source is the name of a book, a file, a folder (all files below it, sorted by relative path) or `-`. `-` reads the
    open file `stdin` or, if `stdin` is None, standard input. A str may be the name of a book or a path, a Path is
    always a path. `name` is the name of the text. By default it is the name of the first source, followed by the number
    of further sources.

    Raises UsageError for an unknown `encoding`, TextError for a source that cannot be found, read or decoded.
    """
    source_list = list_sources(sources)
    if source_list.count("-") > 1:
        raise UsageError("standard input (`-`) can be read only once.")
    reader = _Reader(check_encoding(encoding), Journal(), Inventory(), stdin, [], keep)
    origins: list[str] = []
    content = collect_text(_joined(_pieces(source_list, reader), origins, reader.journal), reader.encoding)
    first, *others = reader.names
    name = _slug(name) if name else (f"{first}+{len(others)}-more" if others else first)
    notes = reader.inventory.notes("byte" if reader.encoding == BYTES else "character") + reader.journal.notes()
    description = (name, tuple(origins), reader.encoding, notes)
    return Text(content, *description) if isinstance(content, str) else LongText(content, *description)


def list_sources(sources: Source | Sequence[Source]) -> list[Source]:
    """Return one source or a sequence of sources as a list; raise UsageError unless each is a str or a path."""
    source_list = arguments.as_list(sources)
    if not all(isinstance(source, (str, os.PathLike)) for source in source_list):
        raise arguments.invalid_argument("sources", "a book's name, a file or a folder, or a list of them", sources)
    return [source if isinstance(source, str) else arguments.path("sources", source) for source in source_list]


def from_string(text: str, name: str = "text", encoding: str = "utf-8") -> Text:
    """Return the Text of a string; with encoding `bytes`, its symbols are the string's UTF-8 bytes.

    Any other encoding is only recorded. Raises UsageError if `text` is not a str, TextError if it has a lone surrogate.
    """
    text = arguments.text("text", text)
    encoding = check_encoding(encoding)
    reject_surrogates(text, "the text")
    journal = Journal()
    text = _as_bytes(text) if encoding == BYTES else normalize(text, "the text", journal)
    return Text(text, _slug(name), source=("text",), encoding=encoding, notes=journal.notes())


def require_enough_text(
    text: Text, sequence_length: int, batch_size: int = 1, *, validation: float = 0.0, test: float = 0.0
) -> None:
    """Raise TextError unless `text` has two different symbols and its training part is enough for one update.

    An update predicts the successor of `sequence_length` · `batch_size` characters, so that it needs one character
    more. A held-out part needs two characters, because its first one is not predicted.
    """
    unit = "byte" if text.is_bytes else "character"
    length = len(text)
    if length == 0:
        raise TextError("the text is empty: there is nothing to learn from.")
    if length == 1:
        raise TextError(f"the text has only one {unit}: there is nothing to predict.")
    if (symbol := text.only_symbol()) is not None:
        raise TextError(f"every {unit} of the text is {quote_text(symbol)}: there is nothing to predict.")
    first, second = split_points(length, validation, test)
    needed = sequence_length * batch_size + 1
    if first < needed:
        used = "" if first == length else f" {first:,} of them for training,"
        sequences = "one sequence" if batch_size == 1 else f"one update of {batch_size:,} sequences"
        raise TextError(
            f"the text has {length:,} {unit}s,{used} but {sequences} of {sequence_length} needs {needed:,}.",
            hint="give more text, or a smaller `--sequence-length`"
            + (" or `--batch-size`." if batch_size > 1 else "."),
        )
    for option, share, held in (("validation", validation, second - first), ("test", test, length - second)):
        if share > 0 and held < 2:
            raise TextError(
                f"`{option}` {share:g} holds out {held} of the text's {length:,} {unit}s; the held-out part needs two.",
                hint=f"give more text, or a larger `--{option}`, or 0.",
            )


def _pieces(source_list: Sequence[Source], reader: _Reader) -> Iterator[_Piece]:
    """Yield the pieces of all sources; the caller must read each piece before it takes the next."""
    if not source_list:
        yield _from_book(named_books.default_book(), reader)
    for source in source_list:
        yield from _pieces_of_source(source, reader)


def _pieces_of_source(source: Source, reader: _Reader) -> Iterator[_Piece]:
    """Yield the pieces of one source."""
    if not isinstance(source, str):
        yield from _from_path(Path(source), reader)
    elif not source:
        raise UsageError("the name of a text must not be empty.")
    elif source == "-":
        reader.names.append("stdin")
        yield _piece(sources.standard_input_chunks(reader.stdin), "standard input", "-", reader)
    elif source not in named_books.NAMES:
        yield from _from_path(Path(source), reader, may_be_book=True)
    else:
        if os.path.lexists(source):
            reader.journal.note_once(
                f"{source} was read as the book of this name; write ./{source} for the file or folder"
            )
        yield _from_book(named_books.book(source), reader)


def _from_book(book: Text, reader: _Reader) -> _Piece:
    reader.names.append(book.name)
    for note in book.notes:
        reader.journal.note_once(note)
    text = _as_bytes(book.text) if reader.encoding == BYTES else book.text
    return _Piece([text], f"the book {book.name}", book.name)


def _from_path(path: Path, reader: _Reader, *, may_be_book: bool = False) -> Iterator[_Piece]:
    mode = sources.mode(path)
    if mode is None:
        raise _unknown(path, may_be_book=may_be_book)
    absolute = _absolute(path)
    if stat.S_ISDIR(mode):
        reader.names.append(_slug(absolute.name))
        yield from _folder(path, reader)
        return
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        raise TextError(
            f"{printable_path(path)} is neither a file nor a folder nor a pipe, but {sources.kind(mode)}.",
            hint="`-` reads standard input.",
        )
    if stat.S_ISREG(mode) and sources.is_sparse(path):
        raise TextError(f"{printable_path(path)} is a sparse file without data: it would read as NULs only.")
    reader.names.append("pipe" if stat.S_ISFIFO(mode) else _slug(absolute.stem))
    yield _piece(sources.chunks(path), printable_path(path), str(absolute), reader)


def _piece(data: Iterator[bytes], label: str, source: str, reader: _Reader) -> _Piece:
    """Return the piece of a source that the user named; add a note to the journal if the piece is empty."""

    def characters() -> Iterator[str]:
        length = 0
        for chunk in _characters(data, label, reader):
            length += len(chunk)
            yield chunk
        if not length:
            reader.journal.add(_EMPTY, label)

    return _Piece(characters(), label, source)


def _characters(data: Iterator[bytes], label: str, reader: _Reader) -> Iterator[str]:
    """Decode `data`; normalize the characters, except with `keep` or encoding `bytes`."""
    characters = decode_text(data, label, reader.encoding)
    is_unchanged = reader.keep or reader.encoding == BYTES
    return characters if is_unchanged else normalize_chunks(characters, label, reader.journal)


def _folder(folder: Path, reader: _Reader) -> Iterator[_Piece]:
    """Yield the text files of a folder; add a note to the journal for each file that is skipped."""
    model_files.refuse_run(folder, lambda _: "name the file or folder of the text.")
    skipped = Journal()
    reasons: set[str] = set()

    def skip(why: str, path: Path) -> None:
        reasons.add(why)
        skipped.add(f"skipped, {why}: {{count}} ({{names}})", printable_path(path))

    undecoded = _UNDECODED.format(encoding=reader.encoding)
    has_text = False
    for path in sources.walk(folder, skip):
        if why := _reason_to_skip(path, reader.encoding, undecoded):
            skip(why, path)
            continue
        has_text = True
        yield _Piece(_counted(path, reader), printable_path(path), str(_absolute(path)))
    if not has_text:
        notes = skipped.notes()
        why = f" ({'; '.join(notes)})" if notes else ""
        raise TextError(
            f"the folder {printable_path(folder)} holds no text{why}.",
            hint=ENCODING_HINT if undecoded in reasons else None,
        )
    reader.journal.merge(skipped)


def _counted(path: Path, reader: _Reader) -> Iterator[str]:
    """Yield the characters of a file of a folder, then add their number to the inventory."""
    length = 0
    for chunk in _characters(sources.chunks(path), printable_path(path), reader):
        length += len(chunk)
        yield chunk
    reader.inventory.add(path, length)


def _reason_to_skip(path: Path, encoding: str, undecoded: str) -> str | None:
    """Return the reason to skip a file of a folder, or None. This function reads the file once, before it is used."""
    if sources.is_sparse(path):
        return "without data"
    length = 0
    try:
        for chunk in decode_text(sources.chunks(path), printable_path(path), encoding):
            length += len(chunk)
            if encoding != BYTES and "\0" in chunk:
                return "binary, with NUL inside"
    except NotPlainTextError as error:
        return error.kind
    except UndecodableError:
        return undecoded
    return None if length else "empty"


def _unknown(path: Path, *, may_be_book: bool) -> TextError:
    if not may_be_book:
        return TextError(f"there is no file or folder {printable_path(path, 80)}.")
    close = difflib.get_close_matches(str(path).lower()[:40], named_books.NAMES, n=1)
    hint = f"did you mean the book {close[0]}?" if close else f"the books are {', '.join(named_books.NAMES)}."
    return TextError(f"{printable_path(path, 80)} is neither a book nor an existing file or folder.", hint=hint)


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - removes `..`, but does not follow links


def _as_bytes(text: str) -> str:
    return text.encode("utf-8").decode("latin-1")


def _joined(pieces: Iterable[_Piece], origins: list[str], journal: Journal) -> Iterator[str]:
    """Yield the characters of all pieces in order, with a newline before a piece that would not begin a line.

    The source of each piece is appended to `origins`. The journal counts the added newlines.
    """
    last, label = "\n", ""  # the last character so far, and the label of its piece
    unended = []
    for piece in pieces:
        if len(origins) == MOST_FILES:
            raise TextError(
                f"the text has more than {MOST_FILES:,} files.", hint="join them into fewer, larger files first."
            )
        origins.append(piece.source)
        begun = False
        for chunk in filter(None, piece.chunks):
            if not begun and last != "\n":
                unended.append(label)
                yield "\n"
            begun, last, label = True, chunk[-1], piece.label
            yield chunk
    for label in unended:
        journal.add(_JOINED, label)


def _slug(name: str) -> str:
    """Return a name for a folder: letters, marks and digits of any script, `.`, `_`, `+`, `-`; up to 60 characters."""
    letters = word_characters(unicodedata.normalize("NFC", name), ".+", "-")
    return re.sub("-+", "-", letters)[:60].strip(".-") or "text"

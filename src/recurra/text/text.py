"""Text: characters, their sources and their digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from recurra.text.equivalents import Respeller
from recurra.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recurra.text.id_file import Ids

STEP_CHARACTERS = 1 << 20  # characters of a piece when a long text is processed
BYTES = "bytes"  # the encoding of a text whose symbols are bytes


@dataclass(frozen=True)
class Text:
    """A text for training.

    Use `vocabulary`, `ids`, `part` and `len` instead of `text` if the text may be a `LongText`, which is in a file.

    Attributes:
        text: the characters, with line ends LF; with encoding `bytes`, chr(0) … chr(255), one for each byte
        name: a slug for a folder: the name of a book, the stem of a file, `a+2-more`, `stdin`
        source: the sources in order: the name of a book, `-`, an absolute path, or `text` for a string
        encoding: Python's name of the codec, or `bytes`
        notes: notes for the user: files that were skipped, characters that were normalized, newlines that were added
        sha256: the digest of the text in UTF-8, or of its bytes. For a file that needed no change it equals the output
            of `sha256sum`. `respell` does not change the digest
    """

    text: str = field(repr=False, compare=False)  # the digest distinguishes texts
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
        """True if each symbol is a byte, not a character."""
        return self.encoding == BYTES

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The symbols of the text, or all bytes; raises TextError if it is empty or has a lone surrogate."""
        return Vocabulary.bytes() if self.is_bytes else Vocabulary.of(self.text)

    @cached_property
    def ids(self) -> Ids:
        """The ids (N,) of the text's symbols in `vocabulary`, read-only."""
        ids = self.vocabulary.encode(self.text)
        ids.flags.writeable = False
        return ids

    def part(self, start: int, stop: int) -> str:
        """Return the symbols `start` to `stop`."""
        return self.text[start:stop]

    def readable(self, start: int, stop: int) -> str:
        """Return the symbols `start` to `stop`, at most to the end; bytes are decoded, invalid UTF-8 as U+FFFD."""
        part = self.part(start, min(stop, len(self)))
        return part.encode("latin-1").decode("utf-8", "replace") if self.is_bytes else part

    def respell(self, vocabulary: Vocabulary) -> Text:
        """Return the text in the canonical form of `vocabulary`; the same object if nothing changes."""
        if self.is_bytes or set(self.vocabulary.symbols) <= set(vocabulary.symbols):
            return self
        respeller = Respeller(vocabulary)
        steps = (
            self.part(start, min(start + STEP_CHARACTERS, len(self))) for start in range(0, len(self), STEP_CHARACTERS)
        )
        spelled = self._of_same_source(respeller.pieces(steps))
        if respeller.note is None:
            return self
        object.__setattr__(spelled, "notes", (*self.notes, respeller.note))
        object.__setattr__(spelled, "sha256", self.sha256)
        return spelled

    def _of_same_source(self, pieces: Iterator[str]) -> Text:
        return Text("".join(pieces), self.name, self.source, self.encoding)

    def only_symbol(self) -> str | None:
        """Return the only symbol of a text, such as "a" for "aaa"; None if it has several. The text is not empty."""
        first = self.text[0]
        return first if self.text.count(first) == len(self.text) else None

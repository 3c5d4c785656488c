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

STEP_CHARACTERS = 1 << 20  # characters that are handled at once
BYTES = "bytes"  # the encoding of a text whose symbols are bytes


@dataclass(frozen=True)
class Text:
    """A text ready to be learned from.

    text      its characters, line ends LF; with encoding `bytes` chr(0) … chr(255), one for each byte
    name      a slug, usable as a folder's name: the book's name, the file's stem, `a+2-more`, `stdin`
    source    what was read, in order: a book's name, `-`, an absolute path, or `text` for a string
    encoding  Python's name of the codec, or `bytes`
    notes     what a user should be told: what was skipped, normalized, joined
    sha256    of the text as UTF-8, or of the bytes themselves; so a file that needed no change has the
              digest that `sha256sum` prints. `respell` keeps the digest of the text that was read

    `LongText` is a text that is not in memory: of it, use `vocabulary`, `ids`, `part` and `len` in place of `text`.
    """

    text: str = field(repr=False, compare=False)  # the digest tells texts apart
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

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The text's own symbols, or all bytes; TextError where it is empty or has a lone surrogate."""
        return Vocabulary.bytes() if self.is_bytes else Vocabulary.of(self.text)

    @cached_property
    def ids(self) -> Ids:
        """The ids (N,) of the text's symbols in `vocabulary`, read-only."""
        ids = self.vocabulary.encode(self.text)
        ids.flags.writeable = False
        return ids

    def part(self, start: int, stop: int) -> str:
        """The symbols `start` to `stop`."""
        return self.text[start:stop]

    def readable(self, start: int, stop: int) -> str:
        """The same as a person reads it, as far as it goes: bytes are decoded, what is no UTF-8 becomes U+FFFD."""
        part = self.part(start, min(stop, len(self)))
        return part.encode("latin-1").decode("utf-8", "replace") if self.is_bytes else part

    def respell(self, vocabulary: Vocabulary) -> Text:
        """Return the text in the canonical form that `vocabulary` has: itself unless that changes it."""
        if self.is_bytes or set(self.vocabulary.symbols) <= set(vocabulary.symbols):
            return self
        respelling = Respeller(vocabulary)
        steps = (
            self.part(start, min(start + STEP_CHARACTERS, len(self))) for start in range(0, len(self), STEP_CHARACTERS)
        )
        spelled = self._of_same_source(respelling.pieces(steps))
        if respelling.note is None:
            return self
        object.__setattr__(spelled, "notes", (*self.notes, respelling.note))
        object.__setattr__(spelled, "sha256", self.sha256)
        return spelled

    def _of_same_source(self, pieces: Iterator[str]) -> Text:
        return Text("".join(pieces), self.name, self.source, self.encoding)

    def only_symbol(self) -> str | None:
        """The symbol of a text, not empty, that has no other; None where it has more."""
        first = self.text[0]
        return first if self.text.count(first) == len(self.text) else None

"""Canonical equivalents: spell a text in the code points of a vocabulary.

In Unicode, é is one character (NFC) or e and a combining accent (NFD), with the same meaning. A model has learned one
of the two. If the vocabulary lacks a part of a cluster (a character and the marks after it), the cluster is replaced by
a canonical equivalent in the vocabulary. Other clusters, and clusters longer than in any language, are unchanged.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from recurra.text.vocabulary import Vocabulary, codes
from recurra.text.words import is_mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_JAMO = "\u1160\u11ff"  # the vowels and final consonants that follow a Korean initial
LONGEST_CLUSTER = 64  # characters; the time of normalization grows with the square of the marks in a cluster


class Respeller:
    """Replace clusters of texts by equivalents in a vocabulary, and count the replacements."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._replacements: dict[str, str] = {}  # by cluster
        self.count = 0
        self.example = ("", "")

    def __call__(self, text: str) -> str:
        """Return `text` with canonical equivalents for clusters that have characters outside the vocabulary."""
        if self._vocabulary.is_bytes:
            return text
        _, known = self._vocabulary.look_up(text)
        parts, done = [], 0
        for position in (~known).nonzero()[0].tolist():
            if position < done:
                continue
            start, stop = _cluster(text, position)
            cluster = text[start:stop]
            spelled = self._spelled(cluster) if len(cluster) <= LONGEST_CLUSTER else cluster
            if spelled != cluster:
                self.count += 1
                self.example = self.example if self.count > 1 else (cluster, spelled)
            parts += [text[done:start], spelled]
            done = stop
        return "".join([*parts, text[done:]]) if parts else text

    def pieces(self, pieces: Iterable[str]) -> Iterator[str]:
        """Respell a text in pieces, which may be cut within a cluster."""
        held = ""
        for piece in pieces:
            text = held + piece
            cut = _cluster(text, len(text) - 1)[0] if text else 0
            cut = cut if len(text) - cut <= LONGEST_CLUSTER else len(text)
            held = text[cut:]
            if cut:
                yield self(text[:cut])
        if held:
            yield self(held)

    @property
    def note(self) -> str | None:
        """The note for the user about replaced clusters; None if nothing was replaced."""
        if not self.count:
            return None
        old, new = self.example
        clusters = "1 character is" if self.count == 1 else f"{self.count:,} characters are"
        return f"{clusters} read in the canonical form that the model has learned: {codes(new)} for {codes(old)}"

    def _spelled(self, cluster: str) -> str:
        replacement = self._replacements.get(cluster)
        if replacement is None:
            replacement = self._replacements[cluster] = _spelled(cluster, self._vocabulary)
        return replacement


def respell(text: str, vocabulary: Vocabulary) -> tuple[str, str | None]:
    """Return `text` in the canonical form of `vocabulary`, and a note if it was changed."""
    respeller = Respeller(vocabulary)
    return respeller(text), respeller.note


def _cluster(text: str, position: int) -> tuple[int, int]:
    """Return the start and the end of the cluster at `position`."""
    start, stop = position, position + 1
    while start > 0 and _continues_cluster(text[start]):
        start -= 1
    while stop < len(text) and _continues_cluster(text[stop]):
        stop += 1
    return start, stop


def _continues_cluster(character: str) -> bool:
    """Return True if `character` belongs to the character before it."""
    return not character.isascii() and (is_mark(character) or _JAMO[0] <= character <= _JAMO[1])


def _spelled(cluster: str, vocabulary: Vocabulary) -> str:
    """Return the canonical equivalent with the fewest characters outside the vocabulary; in a tie, `cluster` itself."""
    decomposed = unicodedata.normalize("NFD", cluster)
    composed = unicodedata.normalize("NFC", cluster)
    forms = [cluster, composed, decomposed, _composed(decomposed, vocabulary)]
    return min(forms, key=lambda form: int((~vocabulary.look_up(form)[1]).sum()))


def _composed(decomposed: str, vocabulary: Vocabulary) -> str:
    """Compose an NFD text into characters of the vocabulary, longest sequences first.

    Unlike NFC, this also composes the Kelvin sign, and Hebrew and Bengali letters with a dot.
    """
    compositions = _by_decomposition(vocabulary)
    if compositions is None:
        return decomposed
    pattern, symbols = compositions
    return pattern.sub(lambda match: symbols[match[0]], decomposed)


@lru_cache(maxsize=8)
def _by_decomposition(vocabulary: Vocabulary) -> tuple[re.Pattern[str], dict[str, str]] | None:
    """Return a pattern that matches each NFD form, and a dict from the form to its character in the vocabulary.

    Returns None if no character of the vocabulary has an NFD form other than itself.
    """
    pairs = ((unicodedata.normalize("NFD", symbol), symbol) for symbol in vocabulary.symbols)
    table = {form: symbol for form, symbol in pairs if form != symbol}
    longest_first = sorted(table, key=len, reverse=True)
    return (re.compile("|".join(map(re.escape, longest_first))), table) if table else None

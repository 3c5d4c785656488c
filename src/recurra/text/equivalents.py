"""Canonical equivalents: the same text in the code points that a vocabulary has.

Unicode writes é as one character (NFC) or as e and a combining accent (NFD), and both mean the same. A model has
learned one of them. A cluster (a character and the marks after it) of which the vocabulary lacks a part is replaced by
a canonical equivalent that it has; all else is left as it is, as are clusters longer than those of any language.
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
LONGEST_CLUSTER = 64  # characters: Unicode sorts the marks of a cluster in time that grows with their square


class Respeller:
    """Spells texts in the characters of a vocabulary, and counts the clusters that it has replaced."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._found: dict[str, str] = {}  # cluster → what replaces it
        self.count = 0
        self.example = ("", "")

    def __call__(self, text: str) -> str:
        """Return `text` with each cluster that is not wholly known as the equivalent that is."""
        if self._vocabulary.is_bytes:
            return text
        _, known = self._vocabulary.look_up(text)
        parts, done = [], 0
        for place in (~known).nonzero()[0].tolist():
            if place < done:
                continue
            start, stop = _cluster(text, place)
            cluster = text[start:stop]
            spelled = self._spelled(cluster) if len(cluster) <= LONGEST_CLUSTER else cluster
            if spelled != cluster:
                self.count += 1
                self.example = self.example if self.count > 1 else (cluster, spelled)
            parts += [text[done:start], spelled]
            done = stop
        return "".join([*parts, text[done:]]) if parts else text

    def pieces(self, pieces: Iterable[str]) -> Iterator[str]:
        """Respell a text that comes in pieces, which may be cut within a cluster."""
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
        """The sentence for the user, None if nothing was replaced."""
        if not self.count:
            return None
        old, new = self.example
        clusters = "1 character is" if self.count == 1 else f"{self.count:,} characters are"
        return f"{clusters} read in the canonical form that the model has learned: {codes(new)} for {codes(old)}"

    def _spelled(self, cluster: str) -> str:
        found = self._found.get(cluster)
        if found is None:
            found = self._found[cluster] = _spelled(cluster, self._vocabulary)
        return found


def respell(text: str, vocabulary: Vocabulary) -> tuple[str, str | None]:
    """Return `text` in the canonical form that `vocabulary` has, and a note if that changes it."""
    respelling = Respeller(vocabulary)
    return respelling(text), respelling.note


def _cluster(text: str, place: int) -> tuple[int, int]:
    """Return where the cluster at `place` begins and ends."""
    start, stop = place, place + 1
    while start > 0 and _goes_on(text[start]):
        start -= 1
    while stop < len(text) and _goes_on(text[stop]):
        stop += 1
    return start, stop


def _goes_on(character: str) -> bool:
    """Return True if `character` belongs to the character before it."""
    return not character.isascii() and (is_mark(character) or _JAMO[0] <= character <= _JAMO[1])


def _spelled(cluster: str, vocabulary: Vocabulary) -> str:
    """Return the canonical equivalent with the fewest unknown characters: `cluster` itself unless another is better."""
    decomposed = unicodedata.normalize("NFD", cluster)
    composed = unicodedata.normalize("NFC", cluster)
    forms = [cluster, composed, decomposed, _composed(decomposed, vocabulary)]
    return min(forms, key=lambda form: int((~vocabulary.look_up(form)[1]).sum()))


def _composed(decomposed: str, vocabulary: Vocabulary) -> str:
    """Return the text with the longest parts that are the NFD of a known character as that character.

    It finds characters that NFC itself decomposes: the Kelvin sign, Hebrew and Bengali letters with a dot.
    """
    found = _by_decomposition(vocabulary)
    if found is None:
        return decomposed
    pattern, symbols = found
    return pattern.sub(lambda match: symbols[match[0]], decomposed)


@lru_cache(maxsize=8)
def _by_decomposition(vocabulary: Vocabulary) -> tuple[re.Pattern[str], dict[str, str]] | None:
    """Return the known characters that can be decomposed, by their NFD, and a pattern of all; None without any."""
    pairs = ((unicodedata.normalize("NFD", symbol), symbol) for symbol in vocabulary.symbols)
    table = {form: symbol for form, symbol in pairs if form != symbol}
    longest_first = sorted(table, key=len, reverse=True)
    return (re.compile("|".join(map(re.escape, longest_first))), table) if table else None

"""Find the passages that a text copied word for word from another text, and the share of n-grams that are new.

The suffix automaton of the first text reads the other text once. Time is linear in both texts, memory in the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.config import arguments
from recurra.errors import TextError
from recurra.inference.kernels.copy_automaton import Automaton, Visits, build, follow, settle
from recurra.text.text import Text
from recurra.text.vocabulary import CODE_POINTS, code_points

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Lengths = NDArray[np.int64]

TEXT_BLOCK_CHARACTERS = 1 << 20  # characters of the training text in memory at a time
SEPARATOR = CODE_POINTS  # the code of a separator between samples; no character has it
MAX_NGRAM_LENGTH = 20  # the greatest n with a share of new n-grams
SHOWN_NGRAM_LENGTHS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20)  # n of the shares in terminal output and report
MOST_PASSAGES = 1_000_000
COPIED = 20  # characters; a shorter passage may be a coincidence


@dataclass(frozen=True)
class Passage:
    """A passage of the sample that is in the training text, too. Positions count characters from 0, lines from 1.

    Args:
        text: the characters.
        start: position in the sample.
        offset: first position in the training text.
        line: number of the line of `offset`.
    """

    text: str
    start: int
    offset: int
    line: int

    @property
    def length(self) -> int:
        """The number of characters."""
        return len(self.text)


@dataclass(frozen=True)
class Novelty:
    """The copied passages and the new n-grams of a sample.

    Args:
        passages: the longest passages; at most half of a passage overlaps longer ones.
        novel: novel[n - 1] is the share of the sample's n-grams that are not in the training text; every occurrence
            counts.
    """

    passages: tuple[Passage, ...]
    novel: tuple[float, ...]

    @property
    def longest(self) -> int:
        """The length of the longest passage; 0 if no character of the sample is in the training text."""
        return self.passages[0].length if self.passages else 0


def novelty(sample: str, text: str | Text, *, passages: int = 10) -> Novelty:
    """Find the longest passages that a sample copied from the training text, and its share of new n-grams.

    Args:
        sample: the text to examine.
        text: the training text.
        passages: the greatest number of passages.

    Returns:
        The passages and the shares.

    Raises:
        TextError: if the sample is empty.
    """
    text = text if isinstance(text, Text) else arguments.text("text", text)
    passages = arguments.whole_number("passages", passages, 0, MOST_PASSAGES)
    return novelties([arguments.text("sample", sample)], text, passages=passages)[0]


def novelties(samples: Sequence[str], text: str | Text, *, passages: int = 10) -> list[Novelty]:
    """Return `novelty` of each of `samples`. The training text is read once."""
    if not all(samples):
        raise TextError("an empty sample has copied nothing.", hint="give a text of one character or more.")
    if not samples:
        return []
    ends = np.cumsum([len(sample) + 1 for sample in samples])
    parts = [slice(end - len(sample) - 1, end - 1) for sample, end in zip(samples, ends.tolist(), strict=True)]
    matched, places = _longest_matches(samples, text)
    copied = [
        _passages(sample, matched[part], places[part], passages) for sample, part in zip(samples, parts, strict=True)
    ]
    lines = _lines(text, [passage.offset for sample in copied for passage in sample])
    return [
        Novelty(tuple(replace(passage, line=lines[passage.offset]) for passage in sample), _novel(matched[part]))
        for sample, part in zip(copied, parts, strict=True)
    ]


def _passages(sample: str, matched: Lengths, places: Lengths, count: int) -> list[Passage]:
    """Return the longest passages of a sample, without their lines."""
    chosen = _apart(matched, count)
    return [Passage(sample[a:b], a, int(places[b - 1]) - (b - a), 0) for a, b in chosen]


def _novel(matched: Lengths) -> tuple[float, ...]:
    """Return the share of new n-grams for each n. An n-gram is new if the longest match at its end is shorter."""
    total = len(matched)
    return tuple(1 - int((matched >= n).sum()) / (total - n + 1) for n in range(1, min(MAX_NGRAM_LENGTH, total) + 1))


def _longest_matches(samples: Sequence[str], text: str | Text) -> tuple[Lengths, Lengths]:
    """Return the length of the longest match that ends at each position of the samples, and its first end in `text`.

    The samples are joined. A separator follows each of them; no text contains it.
    """
    joined = np.concatenate([np.append(code_points(sample).astype(np.int64), SEPARATOR) for sample in samples])
    characters, symbols = np.unique(joined, return_inverse=True)
    size = 2 * len(joined)
    automaton = Automaton(
        np.full((size, len(characters)), -1, np.int32), np.zeros(size, np.int64), np.zeros(size, np.int64)
    )
    ends = np.zeros(len(joined), np.int64)
    states = build(symbols.astype(np.int64), automaton, ends)
    visits = Visits(np.zeros(size, np.int64), np.full(size, -1, np.int64), np.full(size, -1, np.int64))
    table = np.full(CODE_POINTS + 1, -1, np.int32)
    table[characters] = np.arange(len(characters))
    at, place = np.zeros(2, np.int64), 0
    for part in _parts(text):
        follow(table[code_points(part)], place, automaton, at, visits)
        place += len(part)
    settle(automaton, np.argsort(-automaton.length[:states], kind="stable"), visits)
    return visits.longest[ends], visits.place[ends]


def _parts(text: str | Text) -> Iterator[str]:
    """Yield the text in blocks."""
    for start in range(0, len(text), TEXT_BLOCK_CHARACTERS):
        yield (
            text[start : start + TEXT_BLOCK_CHARACTERS]
            if isinstance(text, str)
            else text.part(start, min(start + TEXT_BLOCK_CHARACTERS, len(text)))
        )


def _apart(matched: Lengths, count: int) -> list[tuple[int, int]]:
    """Return the longest matches as positions in the sample.

    No match can be extended, and at most half of a match overlaps longer ones. There are at most `count`.
    """
    continues = np.append(matched[1:] > matched[:-1], False)
    ends = np.flatnonzero(~continues & (matched > 0))
    covered = np.zeros(len(matched), np.bool_)
    chosen: list[tuple[int, int]] = []
    for end in ends[np.argsort(-matched[ends], kind="stable")].tolist():
        part = slice(end + 1 - int(matched[end]), end + 1)
        if len(chosen) == count:
            break
        if 2 * covered[part].sum() <= matched[end]:
            covered[part] = True
            chosen.append((part.start, part.stop))
    return chosen


def _lines(text: str | Text, offsets: list[int]) -> dict[int, int]:
    """Return the line number of each offset."""
    lines: dict[int, int] = {}
    line, place, waiting = 1, 0, sorted(set(offsets), reverse=True)
    for part in _parts(text) if waiting else ():
        at = 0
        while waiting and waiting[-1] < place + len(part):
            offset = waiting.pop()
            line += part.count("\n", at, offset - place)
            at, lines[offset] = offset - place, line
        line += part.count("\n", at)
        place += len(part)
        if not waiting:
            break
    return lines


def to_table(result: Novelty) -> dict[str, Any]:
    """Return the passages and shares with the types of JSON."""
    return {
        "longest": result.longest,
        "passages": [
            {"length": p.length, "start": p.start, "offset": p.offset, "line": p.line, "text": p.text}
            for p in result.passages
        ],
        "novel_ngrams": {str(n): share for n, share in enumerate(result.novel, 1)},
    }

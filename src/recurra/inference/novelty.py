"""Find the passages that a text has copied word for word from another, and the share that is new.

The other text is read once, through the suffix automaton of the first: time is linear in both, memory in the first.
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

TEXT_BLOCK_CHARACTERS = 1 << 20  # characters of the training text that are in memory at once
SEPARATOR = CODE_POINTS  # between samples: a character that there is not
LENGTHS = 20  # of the n-grams whose share is told
SHOWN = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20)  # those that a person is shown
MOST_PASSAGES = 1_000_000
COPIED = 20  # characters of a passage that stands in the text by no accident


@dataclass(frozen=True)
class Passage:
    """`text`, at `start` of the sample, stands in the training text too: first at the character `offset`, both counted
    from 0, which is in the line number `line`, counted from 1.
    """

    text: str
    start: int
    offset: int
    line: int

    @property
    def length(self) -> int:
        """How many characters it has."""
        return len(self.text)


@dataclass(frozen=True)
class Novelty:
    """What was found: the longest `passages`, none for the most part in a longer one, and how many n-grams are new.

    novel[n - 1] is the share of the sample's n-grams, each place counted, that stand nowhere in the training text.
    """

    passages: tuple[Passage, ...]
    novel: tuple[float, ...]

    @property
    def longest(self) -> int:
        """The length of the longest passage; 0 where not even a character is known."""
        return self.passages[0].length if self.passages else 0


def novelty(sample: str, text: str | Text, *, passages: int = 10) -> Novelty:
    """What `sample` has copied from the training text `text`: its longest passages, and the share of new n-grams.

    Raises TextError where the sample is empty.
    """
    text = text if isinstance(text, Text) else arguments.text("text", text)
    passages = arguments.whole_number("passages", passages, 0, MOST_PASSAGES)
    return novelties([arguments.text("sample", sample)], text, passages=passages)[0]


def novelties(samples: Sequence[str], text: str | Text, *, passages: int = 10) -> list[Novelty]:
    """`novelty` of each of `samples`; the text is read once."""
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
    lines = _lines(text, [passage.offset for own in copied for passage in own])
    return [
        Novelty(tuple(replace(passage, line=lines[passage.offset]) for passage in own), _novel(matched[part]))
        for own, part in zip(copied, parts, strict=True)
    ]


def _passages(sample: str, matched: Lengths, places: Lengths, count: int) -> list[Passage]:
    """The longest passages of a sample, their lines still to be found."""
    chosen = _apart(matched, count)
    return [Passage(sample[a:b], a, int(places[b - 1]) - (b - a), 0) for a, b in chosen]


def _novel(matched: Lengths) -> tuple[float, ...]:
    """The share of n-grams that are new, by n: those that end where the longest match is shorter."""
    total = len(matched)
    return tuple(1 - int((matched >= n).sum()) / (total - n + 1) for n in range(1, min(LENGTHS, total) + 1))


def _longest_matches(samples: Sequence[str], text: str | Text) -> tuple[Lengths, Lengths]:
    """For each end in the samples the length of the longest match that ends there, and where it first ends in `text`.

    After each sample stands a separator, which no text has and nothing matches.
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
    for start in range(0, len(text), TEXT_BLOCK_CHARACTERS):
        yield (
            text[start : start + TEXT_BLOCK_CHARACTERS]
            if isinstance(text, str)
            else text.part(start, min(start + TEXT_BLOCK_CHARACTERS, len(text)))
        )


def _apart(matched: Lengths, count: int) -> list[tuple[int, int]]:
    """The longest matches that cannot be made longer, as places in the sample; at most `count`, none of which is for
    the most part in longer ones.
    """
    goes_on = np.append(matched[1:] > matched[:-1], False)
    ends = np.flatnonzero(~goes_on & (matched > 0))
    taken = np.zeros(len(matched), np.bool_)
    chosen: list[tuple[int, int]] = []
    for end in ends[np.argsort(-matched[ends], kind="stable")].tolist():
        part = slice(end + 1 - int(matched[end]), end + 1)
        if len(chosen) == count:
            break
        if 2 * taken[part].sum() <= matched[end]:
            taken[part] = True
            chosen.append((part.start, part.stop))
    return chosen


def _lines(text: str | Text, offsets: list[int]) -> dict[int, int]:
    """The number of the line in which each of the offsets is."""
    found: dict[int, int] = {}
    line, place, waiting = 1, 0, sorted(set(offsets), reverse=True)
    for part in _parts(text) if waiting else ():
        at = 0
        while waiting and waiting[-1] < place + len(part):
            offset = waiting.pop()
            line += part.count("\n", at, offset - place)
            at, found[offset] = offset - place, line
        line += part.count("\n", at)
        place += len(part)
        if not waiting:
            break
    return found


def to_table(found: Novelty) -> dict[str, Any]:
    """As JSON's types."""
    return {
        "longest": found.longest,
        "passages": [
            {"length": p.length, "start": p.start, "offset": p.offset, "line": p.line, "text": p.text}
            for p in found.passages
        ],
        "novel_ngrams": {str(n): share for n, share in enumerate(found.novel, 1)},
    }

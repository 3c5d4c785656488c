"""The words and long passages of the samples that occur in the training text."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from recurra.inference.novelty import COPIED, novelties
from recurra.text.words import has_words, pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from recurra.runs.logs import SampleText
    from recurra.text.text import Text

PASSAGES = 5  # of a sample
MAX_MARKED_SAMPLES = 500  # samples, the last ones, and
MARKED = 100_000  # characters of them at most: their marks fit in a summary that can be read again
TOGETHER = 4096  # characters of the last samples whose copies are looked for, in one reading of the text
READ_CHARACTERS = 1 << 24  # characters of the text's beginning in which is looked
MARKING_BLOCK_CHARACTERS = 1 << 20
LANGUAGE = 1 << 16  # characters of the text's beginning that show whether it is written with spaces between words


def mark(samples: Sequence[SampleText], text: Text) -> list[dict[str, Any]]:
    """For each of the last samples its update, the spans [start, length] of the text's words, and how many it has.

    Of a text in a script without spaces between words there are none. The newest have the spans of what they have
    copied, too. Of a longer text only the first `READ_CHARACTERS` characters are read.
    """
    book = text.readable(0, READ_CHARACTERS)
    samples = _newest([sample for sample in samples if sample.text][-MAX_MARKED_SAMPLES:], MARKED)
    found = [list(pattern().finditer(sample.text)) if has_words(book[:LANGUAGE]) else [] for sample in samples]
    known = _known({match[0] for matches in found for match in matches}, book)
    newest = _newest(samples, TOGETHER)
    copies = novelties([sample.text for sample in newest], book, passages=PASSAGES)
    copied = {
        sample.update: [[p.start, p.length] for p in copied.passages if p.length >= COPIED]
        for sample, copied in zip(newest, copies, strict=True)
    }
    return [
        {
            "update": sample.update,
            "words": [[match.start(), len(match[0])] for match in matches if match[0] in known],
            "total": len(matches),
        }
        | ({"copied": copied[sample.update]} if sample.update in copied else {})
        for sample, matches in zip(samples, found, strict=True)
    ]


def _newest(samples: Sequence[SampleText], characters: int) -> list[SampleText]:
    """Return the last samples, as many as have together no more than so many characters."""
    lengths = itertools.accumulate(len(sample.text) for sample in reversed(samples))
    count = sum(length <= characters for length in lengths)
    return list(samples[len(samples) - count :])


def _known(wanted: set[str], book: str) -> set[str]:
    """Those of `wanted` that are words of the book."""
    found: set[str] = set()
    for block in _blocks(book) if wanted else ():
        found |= wanted.intersection(pattern().findall(block))
    return found


def _blocks(book: str) -> Iterator[str]:
    """The book in pieces that end between words, where there is a space within reach."""
    start = 0
    while start < len(book):
        stop = start + MARKING_BLOCK_CHARACTERS
        if stop < len(book):
            stop = (
                max(
                    book.rfind(" ", start + MARKING_BLOCK_CHARACTERS // 2, stop),
                    book.rfind("\n", start + MARKING_BLOCK_CHARACTERS // 2, stop),
                )
                + 1
                or stop
            )
        yield book[start:stop]
        start = stop

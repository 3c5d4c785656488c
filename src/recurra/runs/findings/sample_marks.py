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

PASSAGES = 5  # most marked passages of a sample
MAX_MARKED_SAMPLES = 500  # the last samples
MAX_MARKED_CHARACTERS = 100_000  # characters of these samples; summary.json must stay small enough to read
TOGETHER = 4096  # characters of the last samples whose copied passages are searched, in one pass over the text
READ_CHARACTERS = 1 << 24  # searched characters, from the beginning of the text
MARKING_BLOCK_CHARACTERS = 1 << 20
SCRIPT_CHARACTERS = 1 << 16  # first characters of the text, which show if its words are separated by spaces


def mark(samples: Sequence[SampleText], text: Text) -> list[dict[str, Any]]:
    """Return for each of the last samples a table of the words and passages that occur in the text.

    update   the update of the sample
    words    the positions [start, length] of the words of the text; none in a script without spaces between words
    total    the number of words in the sample
    copied   the positions [start, length] of the copied passages, in the newest samples only

    Only the first `READ_CHARACTERS` characters of the text are searched.
    """
    book = text.readable(0, READ_CHARACTERS)
    samples = _newest([sample for sample in samples if sample.text][-MAX_MARKED_SAMPLES:], MAX_MARKED_CHARACTERS)
    separated = has_words(book[:SCRIPT_CHARACTERS])
    words = [list(pattern().finditer(sample.text)) if separated else [] for sample in samples]
    in_book = _words_in({match[0] for matches in words for match in matches}, book)
    newest = _newest(samples, TOGETHER)
    copies = novelties([sample.text for sample in newest], book, passages=PASSAGES)
    copied = {
        sample.update: [[p.start, p.length] for p in copied.passages if p.length >= COPIED]
        for sample, copied in zip(newest, copies, strict=True)
    }
    return [
        {
            "update": sample.update,
            "words": [[match.start(), len(match[0])] for match in matches if match[0] in in_book],
            "total": len(matches),
        }
        | ({"copied": copied[sample.update]} if sample.update in copied else {})
        for sample, matches in zip(samples, words, strict=True)
    ]


def _newest(samples: Sequence[SampleText], characters: int) -> list[SampleText]:
    """Return the newest samples, with at most `characters` characters in total."""
    lengths = itertools.accumulate(len(sample.text) for sample in reversed(samples))
    count = sum(length <= characters for length in lengths)
    return list(samples[len(samples) - count :])


def _words_in(words: set[str], book: str) -> set[str]:
    """Return those of the `words` that occur as words in the text `book`."""
    present: set[str] = set()
    for block in _blocks(book) if words else ():
        present |= words.intersection(pattern().findall(block))
    return present


def _blocks(book: str) -> Iterator[str]:
    """Yield the text in blocks; a block ends at its last space or line end, if its second half has one."""
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

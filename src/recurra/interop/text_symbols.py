"""The characters of a text as the other program read it: with a byte order mark and CR, or without.

We drop a byte order mark and make every line end LF. Python's `open` keeps the mark, and programs that read bytes keep
CR too; their networks then have one or two symbols more. Some bring the text into a normal form of Unicode first. The
number of symbols, K, shows which reading it was.
"""

from __future__ import annotations

import shlex
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from recurra.errors import ModelError, UsageError
from recurra.interop.symbols import Symbols, symbols_of
from recurra.text.reading import Source
from recurra.text.reading import read as read_text
from recurra.text.text import Text
from recurra.text.vocabulary import Vocabulary

CR, LF, MARK = 0x0D, 0x0A, 0xFEFF
FORMS: tuple[Literal["NFC"], Literal["NFD"]] = ("NFC", "NFD")
HINT = (
    "leave only one of them in the text: `tr -d '\\r' < {file} > text.txt` if line ends were LF there, "
    "`tail -c +4 {file} > text.txt` if the mark was removed."
)


class Reading(NamedTuple):
    """One way to read the text, in words, and the code points that it has."""

    words: str
    points: frozenset[int]


def symbols_of_text(sources: Source | Sequence[Source], encoding: str, K: int) -> Symbols:
    """The characters of a text, sorted, in the reading of which there are K.

    Warns if that is not how this program reads a text. Raises ModelError if no reading has K characters, UsageError if
    several have.
    """
    text = read_text(sources, encoding, keep=True)
    if text.is_bytes:
        return symbols_of(text.vocabulary)
    readings = list(_readings(_points(text.vocabulary)))
    fitting = [reading for reading in readings if len(reading.points) == K]
    fitting = fitting or [reading for reading in _normal_readings(text) if len(reading.points) == K]
    if not fitting:
        sizes = ", ".join(f"{len(reading.points):,} ({reading.words})" for reading in readings[1:])
        more = f" (or {sizes})" if sizes else ""
        raise ModelError(
            f"the vocabulary has {len(readings[0].points):,} characters{more}, the network {K:,}.",
            hint="give the vocabulary that it was trained with, or the whole text.",
        )
    if len(fitting) > 1:
        ways = " or ".join(reading.words for reading in fitting)
        raise UsageError(
            f"the text has {K:,} characters in several readings: {ways}.", hint=HINT.format(file=_file(sources))
        )
    if fitting[0] is not readings[0]:
        how = fitting[0].words
        warnings.warn(f"the text was read {how}: so it has {K:,} characters, as the network has.", stacklevel=5)
    return Symbols(np.array(sorted(fitting[0].points), np.int64))


def _normal_readings(text: Text) -> Iterator[Reading]:
    """The readings of a text in the normal forms NFC and NFD of Unicode."""
    for form in FORMS:
        points = _points(Vocabulary.of(unicodedata.normalize(form, text.text)))
        yield from (Reading(f"{words}, in Unicode's {form}", own) for words, own in _readings(points))


def _points(vocabulary: Vocabulary) -> frozenset[int]:
    return frozenset(int(point) for point in vocabulary.code_points)


def _readings(kept: frozenset[int]) -> Iterator[Reading]:
    """The readings that differ, ours first, of a text in which `kept` are the characters with nothing changed."""
    ours = kept - {CR, MARK} | ({LF} if CR in kept else set())
    yield Reading("with LF as its line ends", ours)
    if MARK in kept:
        yield Reading("with its byte order mark", ours | {MARK})
    if CR in kept:
        yield Reading("with its CR", kept - {MARK})
    if {CR, MARK} <= kept:
        yield Reading("with its byte order mark and CR", kept)


def _file(sources: Source | Sequence[Source]) -> str:
    first = sources if isinstance(sources, str) or not isinstance(sources, Sequence) else next(iter(sources), "FILE")
    return shlex.quote(str(first))

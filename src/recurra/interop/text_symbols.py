"""Characters of the ids from the text that the other program learned, with or without a byte order mark and CR.

We drop a byte order mark and make every line end LF. Python's `open` keeps the mark, and programs that read bytes keep
CR too; their networks then have one or two symbols more. Some bring the text into a normal form of Unicode first. The
number of symbols, K, shows which reading it was.
"""

from __future__ import annotations

import math
import shlex
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from recurra.errors import ModelError, UsageError
from recurra.interop import symbols
from recurra.interop.symbols import Symbols
from recurra.model import LanguageModel
from recurra.network import network
from recurra.network.parameters import count
from recurra.text.reading import Source
from recurra.text.reading import read as read_text
from recurra.text.text import Text
from recurra.text.vocabulary import Vocabulary

MOST_STEPS, FEWEST_STEPS = 1000, 200  # characters that are predicted to test the order of the ids
MOST_WORK = 1 << 30  # parameters times steps
MAX_INTERMEDIATE_NUMBERS = 1 << 20  # characters times steps, and hidden units times steps
DOUBT = 0.5  # nats a character above chance
CR, LF, MARK = 0x0D, 0x0A, 0xFEFF
FORMS: tuple[Literal["NFC"], Literal["NFD"]] = ("NFC", "NFD")
VOCABULARY_HINT = (
    "leave only one of them in the text: `tr -d '\\r' < {file} > text.txt` if line ends were LF there, "
    "`tail -c +4 {file} > text.txt` if the mark was removed."
)


class TextReading(NamedTuple):
    """One way to read the text, in words, and the code points that it has."""

    words: str
    points: frozenset[int]


def read(sources: Source | Sequence[Source], encoding: str) -> Text:
    """The text with every character that it has. Raises TextError."""
    return read_text(sources, encoding, keep=True)


def symbols_of(text: Text, K: int) -> Symbols:
    """The characters of a text, sorted, in the reading of which there are K.

    That is how this program reads a text, if it has K characters then; else a warning says which reading it is. Raises
    ModelError if no reading has K characters, UsageError if several of the others have.
    """
    if text.is_bytes:
        return symbols.symbols_of(text.vocabulary)
    readings = list(_readings(_points(text.vocabulary)))
    fitting = [reading for reading in readings if len(reading.points) == K]
    fitting = fitting or [reading for reading in _normal_readings(text) if len(reading.points) == K]
    if readings[0] in fitting:
        return Symbols(np.array(sorted(readings[0].points), np.int64))
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
            f"the text has {K:,} characters in several readings: {ways}.",
            hint=VOCABULARY_HINT.format(file=shlex.quote(text.source[0])),
        )
    how = fitting[0].words
    warnings.warn(f"the text was read {how}: so it has {K:,} characters, as the network has.", stacklevel=4)
    return Symbols(np.array(sorted(fitting[0].points), np.int64))


def _normal_readings(text: Text) -> Iterator[TextReading]:
    """The readings of a text in the normal forms NFC and NFD of Unicode."""
    for form in FORMS:
        points = _points(Vocabulary.of(unicodedata.normalize(form, text.text)))
        yield from (TextReading(f"{words}, in Unicode's {form}", own) for words, own in _readings(points))


def _points(vocabulary: Vocabulary) -> frozenset[int]:
    return frozenset(int(point) for point in vocabulary.code_points)


def _readings(kept: frozenset[int]) -> Iterator[TextReading]:
    """The readings that differ, ours first, of a text in which `kept` are the characters with nothing changed."""
    ours = kept - {CR, MARK} | ({LF} if CR in kept else set())
    yield TextReading("with LF as its line ends", ours)
    if MARK in kept:
        yield TextReading("with its byte order mark", ours | {MARK})
    if CR in kept:
        yield TextReading("with its CR", kept - {MARK})
    if {CR, MARK} <= kept:
        yield TextReading("with its byte order mark and CR", kept)


def warn_if_unlikely(model: LanguageModel, text: Text) -> None:
    """Warn if the model predicts the beginning of its text worse than chance: its ids are then in another order."""
    K, units = len(model.vocabulary), model.config.hidden_size * model.config.layers
    steps = min(MOST_STEPS, MOST_WORK // count(model.parameters), MAX_INTERMEDIATE_NUMBERS // max(K, units))
    ids = model.vocabulary.encode_known(text.part(0, steps + 1))[0].astype(np.int64)
    if len(ids) < FEWEST_STEPS:
        return
    x = network.one_hot(ids[:-1, np.newaxis], K)
    with np.errstate(over="ignore", invalid="ignore"):
        log_p = network.forward(
            model.config, model.parameters, x, network.zero_state(model.config, 1)
        ).log_probabilities
    loss, chance = -float(log_p[np.arange(len(ids) - 1), 0, ids[1:]].mean()), math.log(K)
    if loss > chance + DOUBT:
        warnings.warn(
            f"the network predicts its text worse than chance, at {loss:.2f} nats a character; ln {K} is {chance:.2f}. "
            "Its ids are probably not in the order of code points: give that with `--vocabulary`.",
            stacklevel=4,
        )

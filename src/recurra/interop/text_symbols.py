"""The characters of the ids from the other program's training text, with or without a byte order mark and CR.

recurra drops a byte order mark and converts every line end to LF. Python's `open` keeps the byte order mark, and
programs that read bytes keep CR too; their networks then have one or two more symbols. Other programs normalize the
text to a Unicode normal form first. The number of symbols, K, shows how the program read the text.
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

MAX_TEST_STEPS, MIN_TEST_STEPS = 1000, 200  # characters to predict in the test of the order of the ids
MAX_TEST_WORK = 1 << 30  # parameters times steps
MAX_INTERMEDIATE_NUMBERS = 1 << 20  # characters times steps, and hidden units times steps
EXCESS_NATS = 0.5  # loss above chance, in nats a character, from which the order is probably wrong
CR, LF, MARK = 0x0D, 0x0A, 0xFEFF
FORMS: tuple[Literal["NFC"], Literal["NFD"]] = ("NFC", "NFD")
VOCABULARY_HINT = (
    "remove the other one from the text: `tr -d '\\r' < {file} > text.txt` if the program read line ends as LF, "
    "`tail -c +4 {file} > text.txt` if it removed the byte order mark."
)


class TextReading(NamedTuple):
    """One way to read the text: its description and the resulting code points."""

    words: str
    points: frozenset[int]


def read(sources: Source | Sequence[Source], encoding: str) -> Text:
    """Return the text with all its characters, byte order mark and CR included.

    Raises: TextError if the text cannot be read.
    """
    return read_text(sources, encoding, keep=True)


def symbols_of(text: Text, K: int) -> Symbols:
    """Return the sorted characters of the text, in the reading that has K characters.

    Prefer recurra's own reading; warn about any other.

    Raises: ModelError if no reading has K characters, UsageError if several readings have K characters.
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
            hint=symbols.WRONG_SIZE_HINT,
        )
    if len(fitting) > 1:
        ways = " or ".join(reading.words for reading in fitting)
        raise UsageError(
            f"the text has {K:,} characters in several readings: {ways}.",
            hint=VOCABULARY_HINT.format(file=shlex.quote(text.source[0])),
        )
    reading = fitting[0].words
    warnings.warn(f"the text is read {reading}, since the network has {K:,} characters.", stacklevel=4)
    return Symbols(np.array(sorted(fitting[0].points), np.int64))


def _normal_readings(text: Text) -> Iterator[TextReading]:
    """Yield the readings of a text in the normal forms NFC and NFD of Unicode."""
    for form in FORMS:
        points = _points(Vocabulary.of(unicodedata.normalize(form, text.text)))
        for reading in _readings(points):
            yield reading._replace(words=f"{reading.words}, in Unicode's {form}")


def _points(vocabulary: Vocabulary) -> frozenset[int]:
    return frozenset(int(point) for point in vocabulary.code_points)


def _readings(unchanged: frozenset[int]) -> Iterator[TextReading]:
    """Yield the different readings of a text, recurra's first; `unchanged` are all code points of the text."""
    normalized = unchanged - {CR, MARK} | ({LF} if CR in unchanged else set())
    yield TextReading("with LF as its line ends", normalized)
    if MARK in unchanged:
        yield TextReading("with its byte order mark", normalized | {MARK})
    if CR in unchanged:
        yield TextReading("with its CR", unchanged - {MARK})
    if {CR, MARK} <= unchanged:
        yield TextReading("with its byte order mark and CR", unchanged)


def warn_if_unlikely(model: LanguageModel, text: Text) -> None:
    """Warn if the model predicts the beginning of its text worse than chance, since its ids then have another order."""
    K, units = len(model.vocabulary), model.config.hidden_size * model.config.layers
    max_steps = min(MAX_TEST_WORK // count(model.parameters), MAX_INTERMEDIATE_NUMBERS // max(K, units))
    steps = min(MAX_TEST_STEPS, max_steps)
    ids = model.vocabulary.encode_known(text.part(0, steps + 1))[0].astype(np.int64)
    if len(ids) < MIN_TEST_STEPS:
        return
    x = network.one_hot(ids[:-1, np.newaxis], K)
    with np.errstate(over="ignore", invalid="ignore"):
        log_p = network.forward(
            model.config, model.parameters, x, network.zero_state(model.config, 1)
        ).log_probabilities
    loss, chance = -float(log_p[np.arange(len(ids) - 1), 0, ids[1:]].mean()), math.log(K)
    if loss > chance + EXCESS_NATS:
        warnings.warn(
            f"the network predicts its text worse than chance, at {loss:.2f} nats a character; ln {K} is {chance:.2f}. "
            "Its ids are probably not in the order of code points: give the character of each id, "
            "`--vocabulary FILE.json`.",
            stacklevel=4,
        )

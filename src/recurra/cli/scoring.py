"""The work of `recurra score`: which text, read by which models, and what came of it."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from recurra.cli.terminal import REDRAW, await_input, can_move, redraw
from recurra.config import NONE
from recurra.errors import ModelError, TextError, UsageError
from recurra.formatting import duration, plural
from recurra.inference import baselines
from recurra.inference.dynamic_evaluation import DynamicConfig
from recurra.inference.line_scores import Line
from recurra.inference.scoring import Score
from recurra.inference.surprise import Surprise, tally
from recurra.model import LanguageModel
from recurra.runs.provenance import HINT, Provenance
from recurra.runs.saved_model import load
from recurra.system.shell import path_argument
from recurra.text.equivalents import Respelling, respelled
from recurra.text.id_file import Ids
from recurra.text.model_files import require_texts
from recurra.text.reading import read
from recurra.text.text import BYTES, Text

PIECE = 1 << 12  # symbols that are read between two looks at the clock
PATIENCE = 1.0  # seconds before progress is first shown

Watch = Callable[[Iterator[Surprise], LanguageModel], Iterator[Surprise]]


class Wanted(NamedTuple):
    """What was asked for; `dynamic` has the settings that were given, None where it was not asked for.

    `documents`: "lines", "none", or None: as the first model was trained.
    """

    models: list[str]
    texts: list[str]
    encoding: str | None = None
    dynamic: dict[str, Any] | None = None
    baselines: bool = False
    documents: str | None = None
    per_character: bool = False


class Passage(NamedTuple):
    """The symbols `start` to `stop` of a text, and which part of it that is, in words."""

    text: Text
    start: int
    stop: int
    part: str

    def pieces(self, reading: Respelling | None = None) -> Iterator[str]:
        """The symbols, in the canonical form of `reading` if it is given."""
        starts = range(self.start, self.stop, PIECE)
        pieces = (self.text.part(start, min(start + PIECE, self.stop)) for start in starts)
        return pieces if reading is None else reading.pieces(pieces)

    def spelled(self, model: LanguageModel, notes: list[str]) -> Iterator[str]:
        """The symbols, as the model spells them, in the canonical form that it knows; a change adds a note."""
        if self.text.is_bytes:
            yield from self.pieces()
            return
        reading = Respelling(model.vocabulary)
        for piece in self.pieces(reading):
            yield model.vocabulary.spell(piece)
        if reading.note is not None and reading.note not in notes:
            notes.append(reading.note)

    def beginning(self, limit: int) -> str:
        """Its first symbols."""
        return self.text.part(self.start, min(self.start + limit, self.stop))


class Reader(NamedTuple):
    """A model, the path that it was named by, and what is known of its training."""

    name: str
    model: LanguageModel
    origin: Provenance

    def learned(self) -> Ids:
        """The ids that it has learned; TextError or ModelError where they cannot be had."""
        return self.origin.learned.parts[0]


class Reading(NamedTuple):
    """A score and the seconds that it took."""

    score: Score
    seconds: float


class Result(NamedTuple):
    """What one model made of the text: as it is, as it went on learning, or line by line."""

    name: str
    reading: Reading
    dynamic: Reading | None = None
    how: DynamicConfig | None = None
    lines: list[Line] | None = None


class Found(NamedTuple):
    """Everything there is to tell; `notes` are for the person."""

    passage: Passage
    results: list[Result]
    baselines: dict[str, Any] | None
    notes: list[str]


def score(wanted: Wanted, watch: Watch | None = None) -> Found:
    """Read the text with every model; `watch` sees the costs of each symbol, in dynamic evaluation if it is wanted."""
    DynamicConfig(**(wanted.dynamic or {}))  # what makes no sense is told at once
    readers = [Reader(path, load(path), Provenance(path)) for path in wanted.models]
    passage = _passage(wanted, readers)
    by_lines = _by_lines_wanted(wanted, readers[0].model)
    notes = [*passage.text.notes, *_notes(wanted, readers, passage, by_lines=by_lines)]
    _warm_up(readers, wanted)
    results = [
        _by_lines(reader, passage, notes) if by_lines else _read(reader, passage, wanted, watch, notes)
        for reader in readers
    ]
    found = _baselines(passage, readers[0], notes) if wanted.baselines else None
    return Found(passage, results, found, notes)


def _by_lines_wanted(wanted: Wanted, model: LanguageModel) -> bool:
    """Return True if each line gets a score of its own."""
    if wanted.documents is None:
        return model.documents is not None and wanted.dynamic is None and not wanted.per_character
    return wanted.documents != NONE


def _notes(wanted: Wanted, readers: list[Reader], passage: Passage, *, by_lines: bool) -> Iterator[str]:
    """What a person may have meant instead."""
    if wanted.texts and any(reader.origin.sha256 == passage.text.sha256 for reader in readers):
        yield "this text was learned from: without TEXT the part alone is scored that was held out"
    if wanted.documents is None and by_lines:
        yield "the model was trained on lines, and scores each by itself: `--documents none` scores the text as one"
    elif wanted.documents == NONE and any(reader.model.documents for reader in readers):
        yield "a model was trained on lines, and reads here what it never learned: one line after another"
    if not passage.text.is_bytes and any(reader.model.vocabulary.is_bytes for reader in readers):
        yield "to a model of bytes each byte is a character: compare by bits/byte"


def _warm_up(readers: list[Reader], wanted: Wanted) -> None:
    """Have the kernels compiled before any clock runs."""
    how = None if wanted.dynamic is None else DynamicConfig(segment=1)
    for reader in readers:
        symbol = reader.model.vocabulary.symbols[0]
        for settings in {None, how}:
            tally(reader.model.surprises([symbol * 3], settings))


def _passage(wanted: Wanted, readers: list[Reader]) -> Passage:
    """The text that was named, else what the first model's run held out."""
    all_bytes = all(reader.model.vocabulary.is_bytes for reader in readers)
    if not wanted.texts:
        passage = _held_out(readers[0])
    else:
        require_texts(wanted.texts, partial(_with_models, wanted), wanted.encoding)
        if "-" in wanted.texts:
            await_input("the text")
        text = read(wanted.texts, wanted.encoding or (BYTES if all_bytes else "utf-8"))
        passage = Passage(text, 0, len(text), "all of it")
    if passage.text.is_bytes and not all_bytes:
        raise TextError("the text is read as bytes, and a model reads characters.", hint="give another `--encoding`.")
    if passage.start == passage.stop:
        raise TextError("an empty text has no score.", hint="give a text of one character or more.")
    return passage


def _with_models(wanted: Wanted, model: Path) -> str:
    """The hint if `model` was given as a text: the command that scores with it too."""
    first, *others = map(path_argument, wanted.models)
    texts = [text if text == "-" else path_argument(text) for text in wanted.texts if Path(text) != model]
    also = [f"--also {other}" for other in (*others, path_argument(model))]
    return f"score with several models: `{' '.join(['recurra score', first, *texts, *also])}`."


def _held_out(reader: Reader) -> Passage:
    learned = reader.origin.learned
    start, stop = learned.held_out
    if start == stop:
        raise UsageError(f"`{reader.name}` held nothing out of its text: there is nothing to score.", hint=HINT)
    return Passage(learned.text, start, stop, "the part that was held out")


def _read(reader: Reader, passage: Passage, wanted: Wanted, watch: Watch | None, notes: list[str]) -> Result:
    if wanted.dynamic is None:
        return Result(reader.name, _timed(reader, passage, None, None, wanted.documents, watch, notes))
    how, ids = _way(wanted.dynamic, reader, notes)
    still = _timed(reader, passage, None, None, wanted.documents, None, notes)
    return Result(reader.name, still, _timed(reader, passage, how, ids, wanted.documents, watch, notes), how)


def _way(given: dict[str, Any], reader: Reader, notes: list[str]) -> tuple[DynamicConfig, Ids | None]:
    """How to learn: as was given, else by rms where the text that was learned is there, else by sgd."""
    if given.get("method", "rms") != "rms":
        return DynamicConfig(**given), None
    try:
        return DynamicConfig(**{"method": "rms"} | given), reader.learned()
    except (TextError, ModelError) as error:
        if "method" in given:
            raise
        notes.append(f"dynamic evaluation by sgd: {error.message}")
        return DynamicConfig(**given), None


def _timed(
    reader: Reader,
    passage: Passage,
    how: DynamicConfig | None,
    ids: Ids | None,
    documents: str | None,
    watch: Watch | None,
    notes: list[str],
) -> Reading:
    model, name = reader.model, reader.name if how is None else f"{reader.name}, dynamic"
    found = model.surprises(passage.spelled(model, notes), how, ids, documents)
    started = time.perf_counter()
    found = _shown(found, passage.stop - passage.start, name) if watch is None else watch(found, model)
    score = tally(found, is_bytes=model.vocabulary.is_bytes)
    return Reading(score, time.perf_counter() - started)


def _shown(found: Iterator[Surprise], length: int, name: str) -> Iterator[Surprise]:
    """The same, with the progress on stderr where that is a terminal and it takes long."""
    if not can_move(sys.stderr):
        yield from found
        return
    started, done = time.perf_counter(), 0
    due = started + PATIENCE
    try:
        for piece in found:
            yield piece
            done += len(piece.symbols)
            if (now := time.perf_counter()) >= due:
                rate = done / (now - started)
                left = duration(max(length - done, 0) / rate)
                redraw(f"{name}: {min(100 * done // length, 100)} %, {rate:,.0f} characters/s, {left} left")
                due = now + REDRAW
    finally:
        redraw("")


def _by_lines(reader: Reader, passage: Passage, notes: list[str]) -> Result:
    started = time.perf_counter()
    vocabulary = reader.model.vocabulary
    found = reader.model.score_lines("".join(passage.spelled(reader.model, notes)))
    lines = [line._replace(text=vocabulary.unspell(line.text)) for line in found]
    scores = [line.score for line in lines]
    total = Score(
        sum(score.characters for score in scores),
        math.fsum(score.nats for score in scores),
        sum(score.unknown_characters for score in scores),
        sum(score.bytes for score in scores),
    )
    return Result(reader.name, Reading(total, time.perf_counter() - started), lines=lines)


def _baselines(passage: Passage, reader: Reader, notes: list[str]) -> dict[str, Any]:
    """In bits per character of the text: those of the text itself, and n-grams of what the first model has learned."""
    text = passage.beginning(baselines.LIMIT)
    if passage.stop - passage.start > baselines.LIMIT:
        notes.append(f"the baselines are those of the first {plural(baselines.LIMIT, 'character')}")
    size = len(text) if passage.text.is_bytes else len(text.encode())
    found: dict[str, Any] = baselines.baselines(text, is_bytes=passage.text.is_bytes)
    found["bytes_per_character"] = size / len(text)
    try:
        training = reader.learned()
    except (TextError, ModelError) as error:
        notes.append(f"no n-grams: {error.message}")
        return found
    vocabulary = reader.model.vocabulary
    spelled = text if passage.text.is_bytes else vocabulary.spell(respelled(text, vocabulary)[0])
    share = len(spelled) / len(text)  # of a model of bytes: bytes a character; of another canonical form: its length
    ngrams = baselines.ngram_bits(training, vocabulary, spelled)
    return found | {"ngram": {order: bits * share for order, bits in ngrams.items()}}

"""The results of an evaluation: a text, the scores of each model, and the codes that need no network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from recurra.inference.dynamic_evaluation import DynamicConfig
from recurra.inference.line_scores import Line
from recurra.inference.scoring import Score
from recurra.model import LanguageModel
from recurra.text.equivalents import Respeller
from recurra.text.text import Text

CHUNK_SYMBOLS = 1 << 12  # symbols that are read between two looks at the clock


class ScoredText(NamedTuple):
    """The symbols `start` to `stop` of a text, and which part of the text they are, in words."""

    text: Text
    start: int
    stop: int
    part: str

    @property
    def length(self) -> int:
        """The number of symbols."""
        return self.stop - self.start

    def pieces(self, reading: Respeller | None = None) -> Iterator[str]:
        """Yield the symbols in pieces, in the canonical form of `reading` if it is given."""
        starts = range(self.start, self.stop, CHUNK_SYMBOLS)
        pieces = (self.text.part(start, min(start + CHUNK_SYMBOLS, self.stop)) for start in starts)
        return pieces if reading is None else reading.pieces(pieces)

    def spelled(self, model: LanguageModel, notes: list[str]) -> Iterator[str]:
        """Yield the symbols as `model` spells them, in the canonical form in its vocabulary; a change adds a note."""
        if self.text.is_bytes:
            yield from self.pieces()
            return
        reading = Respeller(model.vocabulary)
        for piece in self.pieces(reading):
            yield model.vocabulary.spell(piece)
        if reading.note is not None and reading.note not in notes:
            notes.append(reading.note)

    def beginning(self, limit: int) -> str:
        """Return the first symbols, at most `limit`."""
        return self.text.part(self.start, min(self.start + limit, self.stop))


class TimedScore(NamedTuple):
    """A score and the seconds that it took."""

    score: Score
    seconds: float

    def to_table(self) -> dict[str, Any]:
        """Return the figures by name."""
        score = self.score
        return {
            "characters": score.characters,
            "bytes": score.bytes,
            "unknown_characters": score.unknown_characters,
            "nats": score.nats,
            "nats_per_character": score.nats_per_character,
            "bits_per_character": score.bits_per_character,
            "bits_per_byte": score.bits_per_byte,
            "perplexity": score.perplexity,
            "characters_per_second": score.characters / max(self.seconds, 1e-9),
        }


class ModelResult(NamedTuple):
    """The score of one model, by the name that it was given.

    dynamic   the score of dynamic evaluation with the settings `how`, if it was asked for
    lines     the score of each line, if lines were scored by themselves
    """

    name: str
    reading: TimedScore
    dynamic: TimedScore | None = None
    how: DynamicConfig | None = None
    lines: list[Line] | None = None

    def to_table(self) -> dict[str, Any]:
        """Return the figures by name; those of dynamic evaluation under "dynamic", else None."""
        dynamic = None
        if self.dynamic is not None and self.how is not None:
            how = self.how
            dynamic = {"method": how.method, "rate": how.rate, "decay": how.decay, "segment": how.segment}
            dynamic |= self.dynamic.to_table()
        return {"model": self.name, **self.reading.to_table(), "dynamic": dynamic}


class Evaluation(NamedTuple):
    """A text and the results of every model, in the order of the models.

    baselines   bits per character by name, if they were asked for: see `recurra.baselines`
    notes       remarks for a person: how the text was read, what is missing and why
    """

    text: ScoredText
    results: list[ModelResult]
    baselines: dict[str, Any] | None
    notes: list[str]

    def rows(self) -> list[dict[str, Any]]:
        """Return each line that was scored by itself: its best score, and the scores of all models in their order."""
        found = []
        for same in zip(*(result.lines or [] for result in self.results), strict=True):
            nats = [line.score.nats for line in same]
            best = nats.index(min(nats))
            score = same[best].score
            row = {"line": same[0].number, "text": same[0].text, "characters": score.characters, "nats": score.nats}
            row |= {"nats_per_character": score.nats_per_character, "unknown_characters": score.unknown_characters}
            found.append(row | {"model": self.results[best].name, "nats_by_model": nats})
        return found

    def to_table(self) -> dict[str, Any]:
        """Return the keys of `score --json`: the first model's figures, the baselines, the other models' figures."""
        first, *others = self.results
        table = {"text": self.text.text.name, "part": self.text.part, **first.to_table()}
        if self.baselines is not None:
            table["baselines"] = self.baselines
        if first.lines is not None:
            table["documents"] = self.rows()
        return table | {"also": [result.to_table() for result in others], "notes": self.notes}

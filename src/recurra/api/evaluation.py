"""The results of an evaluation: the text, the scores of each model, and the baselines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from recurra.inference.dynamic_evaluation import DynamicConfig
from recurra.inference.line_scores import Line
from recurra.inference.scoring import Score
from recurra.model import LanguageModel
from recurra.text.equivalents import Respeller
from recurra.text.text import Text

CHUNK_SYMBOLS = 1 << 12  # symbols between two progress reports


class ScoredText(NamedTuple):
    """The symbols `start` to `stop` of a text, and a description of this part."""

    text: Text
    start: int
    stop: int
    part: str

    @property
    def length(self) -> int:
        """The number of symbols."""
        return self.stop - self.start

    def pieces(self, reading: Respeller | None = None) -> Iterator[str]:
        """Yield the symbols in chunks.

        Args:
            reading: converts the symbols to the canonical form of a vocabulary; None: leave them unchanged.

        Returns:
            an iterator over strings.
        """
        starts = range(self.start, self.stop, CHUNK_SYMBOLS)
        pieces = (self.text.part(start, min(start + CHUNK_SYMBOLS, self.stop)) for start in starts)
        return pieces if reading is None else reading.pieces(pieces)

    def spelled(self, model: LanguageModel, notes: list[str]) -> Iterator[str]:
        """Yield the symbols in chunks, in the spelling and the canonical form of the vocabulary of `model`.

        Args:
            model: the model that reads the symbols.
            notes: a note is appended if the canonical form differs from the text.

        Returns:
            an iterator over strings.
        """
        if self.text.is_bytes:
            yield from self.pieces()
            return
        reading = Respeller(model.vocabulary)
        for piece in self.pieces(reading):
            yield model.vocabulary.spell(piece)
        if reading.note is not None and reading.note not in notes:
            notes.append(reading.note)

    def beginning(self, limit: int) -> str:
        """Return the first symbols.

        Args:
            limit: the largest number of symbols.

        Returns:
            the symbols as one string.
        """
        return self.text.part(self.start, min(self.start + limit, self.stop))


class TimedScore(NamedTuple):
    """A score and the duration of its computation in seconds."""

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
    """The score of one model, with the name of the model.

    dynamic   the score of dynamic evaluation with the settings `how`; None without dynamic evaluation
    lines     the score of each line; None if the text was scored as a whole
    """

    name: str
    reading: TimedScore
    dynamic: TimedScore | None = None
    how: DynamicConfig | None = None
    lines: list[Line] | None = None

    def to_table(self) -> dict[str, Any]:
        """Return the figures by name; "dynamic" has the figures of dynamic evaluation, or None."""
        dynamic = None
        if self.dynamic is not None and self.how is not None:
            how = self.how
            dynamic = {"method": how.method, "rate": how.rate, "decay": how.decay, "segment": how.segment}
            dynamic |= self.dynamic.to_table()
        return {"model": self.name, **self.reading.to_table(), "dynamic": dynamic}


class Evaluation(NamedTuple):
    """A text and the results of every model, in the order of the models.

    baselines   bits per character by name, see `recurra.baselines`; None without baselines
    notes       remarks on the reading of the text and on missing results
    """

    text: ScoredText
    results: list[ModelResult]
    baselines: dict[str, Any] | None
    notes: list[str]

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each separately scored line: its best score, and the nats of all models in their order."""
        rows = []
        for scores in zip(*(result.lines or [] for result in self.results), strict=True):
            nats = [line.score.nats for line in scores]
            best = nats.index(min(nats))
            score = scores[best].score
            row = {"line": scores[0].number, "text": scores[0].text, "characters": score.characters, "nats": score.nats}
            row |= {"nats_per_character": score.nats_per_character, "unknown_characters": score.unknown_characters}
            rows.append(row | {"model": self.results[best].name, "nats_by_model": nats})
        return rows

    def to_table(self) -> dict[str, Any]:
        """Return the object of `score --json`: the figures of the first model, the baselines and the other models."""
        first, *others = self.results
        table = {"text": self.text.text.name, "part": self.text.part, **first.to_table()}
        if self.baselines is not None:
            table["baselines"] = self.baselines
        if first.lines is not None:
            table["documents"] = self.rows()
        return table | {"also": [result.to_table() for result in others], "notes": self.notes}

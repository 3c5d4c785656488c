"""What takes a while to find out of a run that still goes on: baselines, the held-out text, and marks on its samples.

It is found in a thread, once, while someone looks at the page; the marks again when there are new samples.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recurra.config import TrainingConfig
from recurra.errors import RecurraError, TextError
from recurra.inference.baselines import LIMIT, baselines, ngram_bits
from recurra.report import held_out, panels
from recurra.report.marks import mark
from recurra.serving.watching import Watch
from recurra.text import books
from recurra.text.reading import read
from recurra.training.provenance import Learned


class Insight:
    """What `look` finds it adds to the watch."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._learned: Learned | None = None
        self._marked = -1  # samples
        self._gave_up = False

    def look(self) -> None:
        """Find what is new; takes some seconds at first. Where the text cannot be read, nothing is found."""
        watch = self._watch
        if self._gave_up or not watch.tables:
            return
        try:
            if self._learned is None:
                self._learned = learned_of(watch.tables)
                watch.add(passage=passage_of(self._learned))
            self._mark(self._learned)
            if not panels.rules(watch.summary) and "rules" not in watch.extra:
                watch.add(rules=rules_of(self._learned))
        except (RecurraError, TypeError, ValueError):
            self._gave_up = True

    def _mark(self, learned: Learned) -> None:
        samples = list(self._watch.samples)
        if len(samples) != self._marked and "sample_marks" not in self._watch.summary:
            self._watch.add(marks=mark(samples, learned.text))
        self._marked = len(samples)


def learned_of(tables: dict[str, Any]) -> Learned:
    """The text that run.toml names; TextError where it is another now, or cannot be read again."""
    table = tables.get("text")
    told = table if isinstance(table, dict) else {}
    source = [str(place) for place in told.get("source", [])]
    if not source or not all(place in books.NAMES or Path(place).is_absolute() for place in source):
        raise TextError("where the text lies is not known.")
    text = read(source, str(told.get("encoding", "utf-8")))
    if text.sha256 != told.get("sha256"):
        raise TextError("the text has changed.")
    return Learned(text, TrainingConfig.from_table(tables.get("training", {})))


def passage_of(learned: Learned) -> str:
    """The beginning of the text that is held out, else of all."""
    start, stop = learned.held_out
    first = start if stop - start >= panels.PASSAGE else 0
    return _readable(learned, first, first + panels.PASSAGE)


def _readable(learned: Learned, start: int, stop: int) -> str:
    part = learned.text.part(start, min(stop, len(learned.text)))
    return part.encode("latin-1").decode("utf-8", "replace") if learned.text.is_bytes else part


def rules_of(learned: Learned) -> list[dict[str, Any]]:
    """What needs no network, as `panels.rules` has it when the run has ended."""
    start, stop = learned.held_out
    text, is_bytes = learned.text, learned.text.is_bytes
    if stop - start < 2:
        return panels.rules({"baselines": baselines(text.part(0, min(start, LIMIT)), is_bytes=is_bytes)})
    held = text.part(start, min(stop, start + LIMIT))
    ids = learned.ids(text.vocabulary)
    grams = ngram_bits(ids[max(len(ids) - held_out.TRAINING, 0) :], text.vocabulary, held[: held_out.HELD_OUT])
    return panels.rules({"held_out_baselines": baselines(held, is_bytes=is_bytes), "held_out_ngrams": grams})

"""The analysis of a run in progress: baselines, the held-out text, and marks on its samples.

The analysis takes seconds. It runs once, in a thread, while a page is open; it marks new samples when they appear.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recurra.config import TrainingConfig
from recurra.errors import RecurraError
from recurra.inference.baselines import COMPRESSORS, MAX_BASELINE_CHARACTERS, ngram_bits, uniform, unigram
from recurra.runs.findings import held_out_results
from recurra.runs.findings.sample_marks import MAX_MARKED_SAMPLES, mark
from recurra.runs.logs import SampleText
from recurra.runs.provenance import read_again
from recurra.text.splits import PreparedText, prepare
from recurra.web import panel_data
from recurra.web.run_watch import Watch

XZ = panel_data.COMPRESSOR


class RunAnalysis:
    """The analysis of the run that `watch` follows; `update` adds its results to the watch."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._learned: PreparedText | None = None
        self._marked: list[SampleText] = []
        self._marks: list[dict[str, Any]] = []
        self._gave_up = False

    def update(self) -> None:
        """Analyze new data; the first call takes seconds. The analysis ends if the text cannot be read."""
        watch = self._watch
        if self._gave_up or not watch.tables:
            return
        try:
            if self._learned is None:
                self._learned = find_training_text(watch.folder, watch.tables)
                watch.add(passage=held_out_passage(self._learned))
                self._find_rules(self._learned)
            self._mark(self._learned)
        except (RecurraError, TypeError, ValueError):
            self._gave_up = True

    def _find_rules(self, learned: PreparedText) -> None:
        if not panel_data.rules(self._watch.summary):
            for rules in rules_of(learned):
                self._watch.add(rules=rules)

    def _mark(self, learned: PreparedText) -> None:
        """Mark the new samples, or all samples after the log was truncated."""
        samples = [SampleText(sample.update, sample.text) for sample in self._watch.samples]
        if samples[: len(self._marked)] != self._marked:
            self._marks, self._marked = [], []
        new = samples[len(self._marked) :]
        if new and "sample_marks" not in self._watch.summary:
            self._marks = (self._marks + mark(new, learned.text))[-MAX_MARKED_SAMPLES:]
            self._watch.add(marks=self._marks)
        self._marked = samples


def find_training_text(folder: Path, tables: dict[str, Any]) -> PreparedText:
    """Read the text that run.toml in `folder` names; TextError if it has changed or is unreadable."""
    table = tables.get("text")
    text = read_again(folder, table if isinstance(table, dict) else {})
    return prepare(text, TrainingConfig.from_table(tables.get("training", {})))


def held_out_passage(learned: PreparedText) -> str:
    """Return the beginning of the held-out text, or else of the whole text."""
    start, stop = learned.held_out
    first = start if stop - start >= panel_data.PASSAGE_CHARACTERS else 0
    return learned.text.readable(first, first + panel_data.PASSAGE_CHARACTERS)


def rules_of(learned: PreparedText) -> Iterator[list[dict[str, Any]]]:
    """Yield the losses of the baselines in the form of `panel_data.rules`: first the quick ones, then all."""
    start, stop = learned.held_out
    text, is_held_out = learned.text, stop - start >= 2
    part = (
        text.part(start, min(stop, start + MAX_BASELINE_CHARACTERS))
        if is_held_out
        else text.part(0, min(start, MAX_BASELINE_CHARACTERS))
    )
    name = "held_out_baselines" if is_held_out else "baselines"
    quick = {"uniform": uniform(part), "unigram": unigram(part)}
    yield panel_data.rules({name: quick})
    ngrams: dict[str, Any] = {}
    if is_held_out:
        ids = learned.parts[0]
        ids = ids[max(len(ids) - held_out_results.TRAINING_SYMBOLS, 0) :]
        ngrams["held_out_ngrams"] = ngram_bits(ids, text.vocabulary, part[: held_out_results.HELD_OUT_SYMBOLS])
    yield panel_data.rules(ngrams | {name: quick | {XZ: _xz_bits(part, is_bytes=text.is_bytes)}})


def _xz_bits(text: str, *, is_bytes: bool) -> float:
    """Return the bits per character of xz. The page computes one compressor, since each takes seconds of CPU time."""
    data = text.encode("latin-1" if is_bytes else "utf-8", "surrogatepass")
    return 8 * len(COMPRESSORS[XZ](data)) / len(text)

"""Ours, through the public API: `recurra.train(preset="classic")` with every event, record and sample on.

What `train` does once it has trained (the gradient proof, the report) is switched off: it is no part of the speed.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from statistics import fmean

import recurra

LOG_EVERY = 500  # the preset's: a record in metrics.jsonl is about so many updates


class Peer:
    """Trainings of preset `classic` on one text, each from its first update in a run folder of its own."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.updates_per_second = 0.0

    def train(self, updates: int, *, seed: int, folder: Path) -> recurra.Run:
        """A training of `updates` in a run folder inside `folder`."""
        return recurra.train(
            text=self.text,
            preset="classic",
            updates=updates,
            seed=seed,
            run=folder / "run",
            proof=False,
            report=False,
        )

    def speed(self, updates: int) -> float:
        """Updates a second of a training of `updates`, as its summary says: events in, compilation out."""
        with tempfile.TemporaryDirectory(prefix="recurra-bench-") as folder:
            run = recurra.train(text=self.text, preset="classic", updates=updates, seed=0, run=str(Path(folder, "run")))
            return float(run.summary["updates_per_second"])

    def timed(self, seconds: float) -> tuple[int, float]:
        """A training of about `seconds`: its number of updates, and updates a second."""
        if not self.updates_per_second:
            self.updates_per_second = self.speed(2 * LOG_EVERY)
        updates = max(LOG_EVERY, round(self.updates_per_second * seconds))
        self.updates_per_second = self.speed(updates)
        return updates, self.updates_per_second

    def mean_loss(self, seed: int, first: int, last: int) -> float:
        """The mean loss of updates `first` + 1 to `last`, multiples of 500: nats a sequence of 25."""
        with tempfile.TemporaryDirectory(prefix="recurra-bench-") as folder:
            run = self.train(last, seed=seed, folder=Path(folder))
            lines = (run.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        records = [record for record in map(json.loads, lines) if first < record["update"] <= last]
        expected = list(range(first + LOG_EVERY, last + 1, LOG_EVERY))
        assert [record["update"] for record in records] == expected, "metrics.jsonl has other updates"
        return fmean(record["loss"]["mean"] for record in records)

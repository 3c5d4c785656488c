"""recurra through its public API: `recurra.train(preset="classic")` with all events, records and samples.

The gradient proof and the report, which follow the training, are off: they are not part of its speed.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from statistics import fmean

import recurra

LOG_EVERY = 500  # updates between two records in metrics.jsonl, as in the preset


class Peer:
    """Trainings with preset `classic` on one text, each from the first update in a new run directory."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.updates_per_second = 0.0

    def train(self, updates: int, *, seed: int, folder: Path) -> recurra.Run:
        """Train for `updates` in a new run directory inside `folder`."""
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
        """Train; return the updates a second of the summary, which includes events and excludes compilation."""
        with tempfile.TemporaryDirectory(prefix="recurra-bench-") as folder:
            return float(self.train(updates, seed=0, folder=Path(folder)).summary["updates_per_second"])

    def rate(self, seconds: float) -> float:
        """Train for about `seconds`; return updates a second."""
        if not self.updates_per_second:
            self.updates_per_second = self.speed(2 * LOG_EVERY)
        self.updates_per_second = self.speed(max(LOG_EVERY, round(self.updates_per_second * seconds)))
        return self.updates_per_second

    def mean_loss(self, seed: int, first: int, last: int) -> float:
        """Return the mean loss of updates `first` + 1 to `last`, both multiples of 500, in nats per 25 characters."""
        with tempfile.TemporaryDirectory(prefix="recurra-bench-") as folder:
            run = self.train(last, seed=seed, folder=Path(folder))
            lines = (run.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        records = [record for record in map(json.loads, lines) if first < record["update"] <= last]
        expected = list(range(first + LOG_EVERY, last + 1, LOG_EVERY))
        assert [record["update"] for record in records] == expected, "metrics.jsonl has other updates"
        return fmean(record["loss"]["mean"] for record in records)

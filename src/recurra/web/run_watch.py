"""A run as its files tell of it while it goes on: nothing here is asked of the process that trains."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from recurra.errors import ModelError
from recurra.io import bounded_io
from recurra.runs import records
from recurra.runs.layout import CHECKPOINTS, LATEST, METRICS, SAMPLES, SETTINGS, SUMMARY, TIMINGS, updates_of
from recurra.runs.records import Record, RunData, Sample
from recurra.runs.saved_model import locate
from recurra.web import panel_data
from recurra.web.log_tail import Tail

OFTEN = 0.1  # seconds, at least, between two looks at the files
TIMINGS_KEPT = 100  # lines, one a second
RECENT = 10  # seconds, about, over which the speed is told


class Place(NamedTuple):
    """How far a page has been told: records and samples, the last record's update, and the rest by its counts."""

    records: int = 0
    samples: int = 0
    update: int = -1
    stamp: int = -1  # of settings, summary, and what was found
    beat: int = -1  # of timings and checkpoints

    def __str__(self) -> str:
        return ".".join(map(str, self))


def place_of(text: str | None) -> Place:
    """The records and samples of the place that `str` wrote; the beginning where it is none."""
    parts = (text or "").split(".")
    good = len(parts) == len(Place._fields) and all(re.fullmatch(r"-?\d{1,18}", part) for part in parts)
    return Place(*map(int, parts[:3])) if good else Place()


class Watch:
    """The records, samples and state of a run folder. `refresh` looks again; the rest tells what was seen.

    One thread looks at a time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records: list[Record] = []
        self.samples: list[Sample] = []
        self.tables: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.stamp = self.beat = 0
        self.extra: dict[str, Any] = {}  # what others found: rules, marks, the passage
        self._tails = {name: Tail(folder / name) for name in (METRICS, SAMPLES, TIMINGS)}
        self._timings: list[dict[str, Any]] = []
        self._learning_rate: float | None = None
        self._checkpoint: int | None = None
        self._model: str | None = None
        self._seen: dict[str, int] = {}
        self._looked = 0.0
        self._looking = threading.Lock()

    @property
    def run(self) -> RunData:
        """What a report would read of its settings and summary; records and samples are told apart."""
        return RunData(self.folder.name, self.tables, (), (), {}, self.summary, ())

    def refresh(self, *, at_once: bool = False) -> None:
        """Look at the files; unless it must be `at_once`, not so soon after the last look."""
        with self._looking:
            if time.monotonic() < self._looked + OFTEN and not at_once:
                return
            self._refresh()
            self._looked = time.monotonic()

    def _refresh(self) -> None:
        self._read_tables()
        rows, anew = self._tails[METRICS].read()
        self.records = ([] if anew else self.records) + _parsed(records.record_of, rows)
        if rows:
            self._learning_rate = records.number(rows[-1], "rate")
        rows, anew = self._tails[SAMPLES].read()
        self.samples = ([] if anew else self.samples) + _parsed(records.sample_of, rows)
        self._read_timings()
        checkpoint = newest(self.folder)
        if checkpoint is not None and checkpoint[1] != self._checkpoint:
            self._checkpoint = checkpoint[1]
            self.beat += 1
        model = _model_of(self.folder)
        if model != self._model:
            self._model = model
            self.beat += 1

    def _read_timings(self) -> None:
        rows, anew = self._tails[TIMINGS].read()
        if rows:
            self._timings = (([] if anew else self._timings) + rows)[-TIMINGS_KEPT:]
            self.beat += 1

    def _read_tables(self) -> None:
        """Settings and summary, where they have changed; what cannot be understood stays as it was."""
        for name, read in ((SETTINGS, records.settings_of), (SUMMARY, records.summary_of)):
            changed = _changed(self.folder / name)
            if changed == self._seen.get(name):
                continue
            try:
                found = read(self.folder / name)
            except ModelError:
                continue
            self._seen[name] = changed
            self.stamp += 1
            if name == SETTINGS:
                self.tables = found
            else:
                self.summary = found

    def add(self, **found: Any) -> None:
        """Tell pages what another has found."""
        self.extra.update(found)
        self.stamp += 1

    @property
    def place(self) -> Place:
        """Where a page is that has been told all."""
        update = self.records[-1].update if self.records else -1
        return Place(len(self.records), len(self.samples), update, self.stamp, self.beat)

    def since(self, place: Place) -> dict[str, Any]:
        """What a page does not know that was told until `place`; with "anew" where it must forget what it was told."""
        told = self.records[: place.records]
        goes_on = len(told) == place.records > 0 and told[-1].update == place.update
        if not goes_on or len(self.samples) < place.samples:
            place = Place()
        found = {
            "anew": place.records == 0,
            "metrics": panel_data.columns(self.records[place.records :], self.run.span),
            "samples": panel_data.samples(self.samples[place.samples :], None),
            "health": self.health(),
        }
        return found if place.stamp == self.stamp else found | self._findings()

    def _findings(self) -> dict[str, Any]:
        """What the run's summary has, else what others found."""
        return {
            **self.extra,
            "rules": panel_data.rules(self.summary) or self.extra.get("rules", []),
            "check": self.summary.get("gradient_check"),
            "marks": self.summary.get("sample_marks") or self.extra.get("marks", []),
        }

    def part(self, first: float, last: float) -> dict[str, Any]:
        """The records from update `first` to `last`, at most 2,000 of them."""
        return panel_data.columns([r for r in self.records if first <= r.update <= last], self.run.span)

    def health(self) -> dict[str, Any]:
        """What the run costs, and how it is."""
        training, last = self.run.table("training"), self._timings[-1] if self._timings else {}
        steps, streams = (records.number(training, name) or 1 for name in ("sequence_length", "batch_size"))
        updates = [records.number(last, "update"), self.records[-1].update if self.records else None]
        return {
            "state": self._state(),
            "update": max((update for update in updates if update is not None), default=0),
            "updates": records.number(training, "updates"),
            "seconds": records.number(last, "seconds"),
            "rate": self._speed(),
            "perUpdate": steps * streams,
            "memory": records.number(last, "peak_memory_bytes"),
            "checkpoint": self._checkpoint,
            "model": self._model,
            "checkpointEvery": records.number(training, "checkpoint_every"),
            "learningRate": self._learning_rate,
            "text": self.run.text_name,
            "cell": self.run.table("model").get("cell"),
            "parameters": records.number(self.run.table("model"), "parameters"),
        }

    def _state(self) -> str:
        done, wanted = records.number(self.summary, "updates"), records.number(self.run.table("training"), "updates")
        if "baselines" in self.summary or (done is not None and wanted is not None and done >= wanted):
            return "Finished"
        return "Stopped" if self.summary else "Training"

    def _speed(self) -> float | None:
        """Updates a second, of late while it trains, else of the whole training."""
        rows = [(records.number(row, "update"), records.number(row, "seconds")) for row in self._timings]
        known = [(update, seconds) for update, seconds in rows if update is not None and seconds is not None]
        if not known:
            return None
        update, seconds = known[-1]
        if self._state() == "Training":
            update0, seconds0 = next(row for row in known if row[1] >= seconds - RECENT)
            if seconds > seconds0:
                return (update - update0) / (seconds - seconds0)
        return update / seconds if seconds else None


def _parsed(read: Any, rows: list[dict[str, Any]]) -> list[Any]:
    found = []
    for row in rows:
        try:
            found.append(read("a line", row))
        except ModelError:
            continue
    return found


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _model_of(folder: Path) -> str | None:
    """The file of the run's model and when it was written, which a page compares; None where there is none."""
    try:
        path = locate(folder)
    except ModelError:
        return None
    return f"{path.name} {_changed(path)}"


def newest(folder: Path) -> tuple[Path, int] | None:
    """The newest checkpoint's file and update, by latest.json; None where there is none."""
    path = folder / CHECKPOINTS
    try:
        found = bounded_io.parse_json(bounded_io.read(path / LATEST, 4096))
    except (OSError, ValueError):
        return None
    name = str(found.get("file")) if isinstance(found, dict) else ""
    update = updates_of(name)
    return None if update is None else (path / name, update)

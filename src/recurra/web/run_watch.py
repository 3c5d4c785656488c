"""The state of a run in progress, read only from its files, without the training process."""

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
from recurra.runs.records import MetricsLine, RunData, SampleLine
from recurra.runs.saved_model import locate
from recurra.web import panel_data
from recurra.web.log_tail import LogTail

REFRESH_INTERVAL_SECONDS = 0.1  # at least, between two reads of the files
MAX_TIMING_LINES = 100  # in memory; the training writes one per second
SPEED_WINDOW_SECONDS = 10  # about, for the measured speed


class PagePosition(NamedTuple):
    """The position of a page in a run: received records and samples, the last update, and two counters."""

    records: int = 0
    samples: int = 0
    update: int = -1
    stamp: int = -1  # counts changes of settings, summary and analysis
    beat: int = -1  # counts changes of timings and checkpoints

    def __str__(self) -> str:
        return ".".join(map(str, self))


def parse_position(text: str | None) -> PagePosition:
    """Parse the records, samples and update of `str(position)`; return the beginning for invalid text."""
    parts = (text or "").split(".")
    is_valid = len(parts) == len(PagePosition._fields) and all(re.fullmatch(r"-?\d{1,18}", part) for part in parts)
    return PagePosition(*map(int, parts[:3])) if is_valid else PagePosition()


class Watch:
    """The records, samples and state of a run directory at the last `refresh`, which one thread runs at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records: list[MetricsLine] = []
        self.samples: list[SampleLine] = []
        self.tables: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.stamp = self.beat = 0
        self.extra: dict[str, Any] = {}  # results of the analysis: rules, marks, the passage
        self._tails = {name: LogTail(folder / name) for name in (METRICS, SAMPLES, TIMINGS)}
        self._timings: list[dict[str, Any]] = []
        self._learning_rate: float | None = None
        self._checkpoint: int | None = None
        self._model: str | None = None
        self._seen: dict[str, int] = {}
        self._refreshed_at = 0.0
        self._refreshing = threading.Lock()

    @property
    def run(self) -> RunData:
        """The settings and the summary in the form of a report, without records and samples."""
        return RunData(self.folder.name, self.tables, (), (), {}, self.summary, ())

    def refresh(self, *, at_once: bool = False) -> None:
        """Read the files if the last read is at least `REFRESH_INTERVAL_SECONDS` ago, or if `at_once`."""
        with self._refreshing:
            if time.monotonic() < self._refreshed_at + REFRESH_INTERVAL_SECONDS and not at_once:
                return
            self._refresh()
            self._refreshed_at = time.monotonic()

    def _refresh(self) -> None:
        self._read_tables()
        rows, is_new = self._tails[METRICS].read()
        self.records = ([] if is_new else self.records) + _parsed(records.record_of, rows)
        if rows:
            self._learning_rate = records.number(rows[-1], "rate")
        rows, is_new = self._tails[SAMPLES].read()
        self.samples = ([] if is_new else self.samples) + _parsed(records.sample_of, rows)
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
        rows, is_new = self._tails[TIMINGS].read()
        if rows:
            self._timings = (([] if is_new else self._timings) + rows)[-MAX_TIMING_LINES:]
            self.beat += 1

    def _read_tables(self) -> None:
        """Read the settings and the summary if they have changed; ignore an invalid file."""
        for name, read in ((SETTINGS, records.settings_of), (SUMMARY, records.summary_of)):
            changed = _changed(self.folder / name)
            if changed == self._seen.get(name):
                continue
            try:
                table = read(self.folder / name)
            except ModelError:
                continue
            self._seen[name] = changed
            self.stamp += 1
            if name == SETTINGS:
                self.tables = table
            else:
                self.summary = table

    def add(self, **results: Any) -> None:
        """Add results of the analysis for the pages."""
        self.extra.update(results)
        self.stamp += 1

    @property
    def position(self) -> PagePosition:
        """The position of a page that has received everything."""
        update = self.records[-1].update if self.records else -1
        return PagePosition(len(self.records), len(self.samples), update, self.stamp, self.beat)

    def since(self, position: PagePosition) -> dict[str, Any]:
        """Return the new data for a page at `position`; "anew" is True if the page must discard its old data."""
        sent = self.records[: position.records]
        continues = len(sent) == position.records > 0 and sent[-1].update == position.update
        if not continues or len(self.samples) < position.samples:
            position = PagePosition()
        news = {
            "anew": position.records == 0,
            "metrics": panel_data.columns(self.records[position.records :], self.run.span),
            "samples": panel_data.samples(self.samples[position.samples :], None),
            "health": self.health(),
        }
        return news if position.stamp == self.stamp else news | self._findings()

    def _findings(self) -> dict[str, Any]:
        """Return the results in the summary, or else the results of the analysis."""
        return {
            **self.extra,
            "rules": panel_data.rules(self.summary) or self.extra.get("rules", []),
            "check": self.summary.get("gradient_check"),
            "marks": self.summary.get("sample_marks") or self.extra.get("marks", []),
        }

    def part(self, first: float, last: float) -> dict[str, Any]:
        """Return the records from update `first` to `last`, at most 2,000 of them."""
        return panel_data.columns([r for r in self.records if first <= r.update <= last], self.run.span)

    def health(self) -> dict[str, Any]:
        """Return the state of the run, its speed and its use of memory."""
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
        done, planned = records.number(self.summary, "updates"), records.number(self.run.table("training"), "updates")
        if "baselines" in self.summary or (done is not None and planned is not None and done >= planned):
            return "Finished"
        return "Stopped" if self.summary else "Training"

    def _speed(self) -> float | None:
        """Return the updates per second: the recent speed during training, or else the mean speed."""
        rows = [(records.number(row, "update"), records.number(row, "seconds")) for row in self._timings]
        known = [(update, seconds) for update, seconds in rows if update is not None and seconds is not None]
        if not known:
            return None
        update, seconds = known[-1]
        if self._state() == "Training":
            update0, seconds0 = next(row for row in known if row[1] >= seconds - SPEED_WINDOW_SECONDS)
            if seconds > seconds0:
                return (update - update0) / (seconds - seconds0)
        return update / seconds if seconds else None


def _parsed(read: Any, rows: list[dict[str, Any]]) -> list[Any]:
    parsed = []
    for row in rows:
        try:
            parsed.append(read("a line", row))
        except ModelError:
            continue
    return parsed


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _model_of(folder: Path) -> str | None:
    """Return the file name and the time of the model, which a page compares, or None if there is no model."""
    try:
        path = locate(folder)
    except ModelError:
        return None
    return f"{path.name} {_changed(path)}"


def newest(folder: Path) -> tuple[Path, int] | None:
    """Return the file and the update of the newest checkpoint in latest.json, or None if there is none."""
    path = folder / CHECKPOINTS
    try:
        latest = bounded_io.parse_json(bounded_io.read(path / LATEST, 4096))
    except (OSError, ValueError):
        return None
    name = str(latest.get("file")) if isinstance(latest, dict) else ""
    update = updates_of(name)
    return None if update is None else (path / name, update)

"""The logs of a run, one line for each event: append to them, cut them back to a checkpoint, and read the samples."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from recurra.io import atomic_write, bounded_io
from recurra.runs.layout import LOGS, METRICS, SAMPLES, TIMINGS
from recurra.system.system_info import peak_memory
from recurra.training import events
from recurra.training.events import Event
from recurra.training.snapshot import LowestLoss


class SampleText(NamedTuple):
    """A text that the network generated after `update` updates."""

    update: int
    text: str


class Logs:
    """The listener that writes metrics.jsonl, timings.jsonl and samples.jsonl, one line for each event."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seconds = 0.0  # seconds in the last line of timings.jsonl
        for name in LOGS:
            self._append(name, [])

    def __call__(self, event: Event) -> None:
        match event:
            case events.Record():
                self._append(METRICS, [asdict(event)])
            case events.Sampled():
                self._append(SAMPLES, [asdict(event)])
            case events.Progress() if event.seconds >= self._seconds + 1:
                self._time(event)
            case events.Saving() if event.update:
                self._time(event)  # a resumed run counts its seconds from this line
            case _:
                pass

    def sync(self) -> None:
        """Flush the logs to the disk, so that their lines survive a loss of power."""
        for name in LOGS:
            path = self._folder / name
            with atomic_write.storage_errors(path), path.open("r+b") as file:
                os.fsync(file.fileno())

    def _time(self, event: events.Progress | events.Saving) -> None:
        self._seconds = event.seconds
        rate = event.update / event.seconds if event.seconds else 0.0
        row = {"update": event.update, "seconds": event.seconds, "updates_per_second": rate}
        self._append(TIMINGS, [row | {"peak_memory_bytes": peak_memory()}])

    def _append(self, name: str, rows: list[dict[str, Any]]) -> None:
        path = self._folder / name
        with atomic_write.storage_errors(path), path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


class LogTotals(NamedTuple):
    """The seconds of training and the lowest smooth loss in the logs that `truncate_logs` cut back."""

    seconds: float
    lowest: LowestLoss | None


def truncate_logs(folder: Path, update: int) -> LogTotals:
    """Remove from the logs the lines of updates after `update`, and an incomplete last line.

    Each line contains its update, so that a checkpoint does not have to store the length of the logs.
    """
    seconds, lowest = 0.0, None
    for name in LOGS:
        path = folder / name
        with atomic_write.storage_errors(path), contextlib.suppress(FileNotFoundError):
            for row in _truncate(path, update):
                if name == TIMINGS:
                    seconds = _number(row, "seconds") or 0.0
                elif name == METRICS and (loss := _number(row, "smooth_loss")) is not None:
                    lowest = LowestLoss(row["update"], loss) if lowest is None or loss < lowest.loss else lowest
    return LogTotals(seconds, lowest)


def samples(folder: Path) -> list[SampleText]:
    """Return all samples of the run in `folder`, also from before it was resumed. Raises StorageError."""
    path = folder / SAMPLES
    with atomic_write.storage_errors(path), path.open("rb") as file:
        rows = [_row(line) for line in file]
    return [SampleText(row["update"], row["text"]) for row in rows if isinstance(row.get("text"), str)]


def _truncate(path: Path, update: int) -> Iterator[dict[str, Any]]:
    """Yield the lines of a log up to `update`, and then truncate the file after them."""
    end = 0
    with path.open("r+b") as file:
        for line in file:
            row = _row(line)
            if row.get("update", update + 1) > update:
                break
            end += len(line)
            yield row
        file.truncate(end)


def _number(row: dict[str, Any], name: str) -> float | None:
    value = row.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _row(line: bytes) -> dict[str, Any]:
    """Return the object in a line; {} if the line is incomplete or has no update."""
    try:
        row = bounded_io.parse_json(line, strict=False) if line.endswith(b"\n") else None
    except ValueError:
        row = None
    return row if isinstance(row, dict) and type(row.get("update")) is int else {}

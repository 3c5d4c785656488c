"""Read and check the plain files of a run directory for the report; record which are absent.

A run that was interrupted, or that still goes on, lacks some of them; its report is made from the others.
"""

from __future__ import annotations

import contextlib
import errno
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from recurra.config import NONE
from recurra.config.presets import current_preset
from recurra.errors import ModelError
from recurra.formatting import sanitize
from recurra.io import bounded_io
from recurra.runs.layout import METRICS, SAMPLES, SETTINGS, SUMMARY, TIMINGS
from recurra.training.loss_history import LARGEST_NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

READ_FILES = (SETTINGS, METRICS, SAMPLES, TIMINGS, SUMMARY)
SMALLEST_MAGNITUDE = 1e-100  # the smallest magnitude of a number that is not shown as 0
UNFINISHED = "the gradient check, the passages of the final and the best model and the comparisons are absent"
# What a missing file takes from the reader; summary.json tells what timings.jsonl does.
CONSEQUENCES = {
    SETTINGS: "the settings, the text's name and the machine are unknown",
    METRICS: "there is no loss to plot",
    SAMPLES: "there is nothing that the network wrote on the way",
    SUMMARY: f"the run was interrupted or has not ended; {UNFINISHED}",
}


class MetricsLine(NamedTuple):
    """One line of metrics.jsonl: losses since the line before, in the run's own unit (`RunData.span`)."""

    update: int
    mean: float
    low: float
    high: float
    smooth: float
    epoch: float | None
    validation: float | None  # nats per character
    norm: float | None = None  # of the gradient


class SampleLine(NamedTuple):
    """One line of samples.jsonl."""

    update: int
    temperature: float | None
    text: str


class Point(NamedTuple):
    """A place on the smooth loss."""

    update: int
    loss: float


@dataclass(frozen=True)
class RunData:
    """A run folder's plain files; `tables` is run.toml, `notes` say what is absent or was left out."""

    name: str
    tables: Mapping[str, Any]
    records: tuple[MetricsLine, ...]
    samples: tuple[SampleLine, ...]
    timings: Mapping[str, Any]
    summary: Mapping[str, Any]
    notes: tuple[str, ...]

    def table(self, name: str) -> Mapping[str, Any]:
        """A table of run.toml, such as "training"; empty where absent."""
        return mapping(self.tables.get(name))

    @property
    def span(self) -> int:
        """The characters that a loss is summed over: those of an update for preset classic, else 1 (a mean)."""
        training = self.table("training")
        if current_preset(training.get("preset", "classic")) != "classic" or training.get("documents", NONE) != NONE:
            return 1
        steps, streams = number(training, "sequence_length"), number(training, "batch_size")
        return max(1, int(steps or 25) * int(streams or 1))

    @property
    def unit(self) -> str:
        """That of its losses, in words."""
        return unit_of(self.span)

    @property
    def text_name(self) -> str:
        """The text's name; the folder's where run.toml tells none."""
        return sanitize(str(self.table("text").get("name") or self.name))

    @property
    def updates(self) -> int | None:
        """Gradient steps done, as far as the files tell."""
        told = number(self.summary, "updates")
        if told is not None:
            return int(told)
        return self.records[-1].update if self.records else None

    @property
    def final(self) -> Point | None:
        """The smooth loss at the end."""
        loss = number(self.summary, "smooth_loss")
        if loss is not None and self.updates is not None:
            return Point(self.updates, loss)
        return Point(self.records[-1].update, self.records[-1].smooth) if self.records else None

    @property
    def lowest(self) -> Point | None:
        """The lowest smooth loss among the records."""
        if self.records:
            record = min(self.records, key=lambda record: record.smooth)
            return Point(record.update, record.smooth)
        return self.best

    @property
    def best(self) -> Point | None:
        """The best model's update and its smooth loss; the lowest smooth loss before a summary is written."""
        update, loss = number(self.summary, "best_update"), number(self.summary, "best_smooth_loss")
        if update is not None and loss is not None:
            return Point(int(update), loss)
        return self.lowest if self.records else None

    @property
    def updates_per_epoch(self) -> float | None:
        """From the last record, whose epoch is its update over this number."""
        last = self.records[-1] if self.records else None
        return last.update / last.epoch if last is not None and last.epoch else None

    def bits(self, loss: float) -> float:
        """A loss of this run in bits per character."""
        return loss / self.span / math.log(2)


def load(folder: Path) -> RunData:
    """Read a run folder. Raises ModelError where it is none, or where a file of it cannot be understood."""
    folder = Path(folder)
    there = {name for name in READ_FILES if _is_there(folder / name)}
    if not there:
        problem = "holds no run" if folder.is_dir() else "is not a folder"
        hint = "give a folder that `recurra train` wrote, such as runs/kjv."
        raise ModelError(f"{folder} {problem}: expected run.toml and metrics.jsonl in it.", hint=hint)
    notes = [f"{name} is absent: {consequence}." for name, consequence in CONSEQUENCES.items() if name not in there]
    records = tuple(record_of(where, line) for where, line in _lines(folder / METRICS, notes))
    samples = tuple(sample_of(where, line) for where, line in _lines(folder / SAMPLES, notes))
    timings = [line for _, line in _lines(folder / TIMINGS, notes)]
    summary = summary_of(folder / SUMMARY)
    if summary and "baselines" not in summary:
        notes.append(f"The run was stopped before its end: {UNFINISHED}.")
    return RunData(
        name=sanitize(folder.resolve().name),
        tables=settings_of(folder / SETTINGS),
        records=records,
        samples=samples,
        timings=timings[-1] if timings else {},
        summary=summary,
        notes=tuple(notes),
    )


def unit_of(span: int) -> str:
    """What a loss that is summed over so many characters is told in."""
    return f"nats per {span} characters" if span > 1 else "nats per character"


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}


def number(table: Mapping[str, Any], name: str) -> float | None:
    """A number of a table that can have been measured; None where it is absent, null, endless or something else."""
    value = table.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= LARGEST_NUMBER:
        return None
    return value if abs(value) >= SMALLEST_MAGNITUDE else 0


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from error


@contextlib.contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Where there is no such file, nothing is read; where it cannot be read, ModelError says why."""
    try:
        yield
    except FileNotFoundError:
        return
    except OSError as error:
        hint = "a report can do without it: move it away." if error.errno == errno.EFBIG else None
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.", hint=hint) from error


def _read(path: Path) -> bytes:
    with _in_words(path):
        return bounded_io.read(path, bounded_io.MAX_TEXT_BYTES)
    return b""


def _lines(path: Path, notes: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a .jsonl file with their places; a last line without its end is a writer cut short."""
    with _in_words(path):
        # Cut before decoding: a writer may have been stopped in the middle of a character.
        for position, line in enumerate(bounded_io.lines(path, bounded_io.MAX_TEXT_BYTES), start=1):
            if not line.strip():
                continue
            where = f"{path}, line {position}"
            try:
                value = bounded_io.parse_json(line, strict=False)
            except ValueError as error:
                if not line.endswith(b"\n"):
                    notes.append(f"The last line of {path.name} is half written and was left out.")
                    return
                raise ModelError(f"{where} is not JSON: {error}.") from error
            if not isinstance(value, dict):
                raise ModelError(f"{where}: expected an object, got {value!r:.40}.")
            yield where, value


def _required(where: str, table: Mapping[str, Any], name: str) -> float:
    value = number(table, name)
    if value is None:
        raise ModelError(f"{where}: expected a finite number as `{name}`, got {table.get(name)!r:.40}.")
    return value


def record_of(where: str, line: dict[str, Any]) -> MetricsLine:
    """A line of metrics.jsonl; ModelError where it is none."""
    loss = mapping(line.get("loss"))
    return MetricsLine(
        update=int(_required(where, line, "update")),
        mean=_required(where, loss, "mean"),
        low=_required(where, loss, "min"),
        high=_required(where, loss, "max"),
        smooth=_required(where, line, "smooth_loss"),
        epoch=number(line, "epoch"),
        validation=number(line, "validation"),
        norm=number(line, "gradient_norm"),
    )


def sample_of(where: str, line: dict[str, Any]) -> SampleLine:
    """A line of samples.jsonl; ModelError where it is none."""
    text = line.get("text")
    if not isinstance(text, str):
        raise ModelError(f"{where}: expected a string as `text`, got {text!r:.40}.")
    return SampleLine(int(_required(where, line, "update")), number(line, "temperature"), text)


def settings_of(path: Path) -> dict[str, Any]:
    """The tables of run.toml, none where there is no such file; ModelError where it cannot be understood."""
    try:
        return bounded_io.parse_toml(_read(path))
    except ValueError as error:
        raise ModelError(f"{path} is not TOML: {error}.") from error


def summary_of(path: Path) -> dict[str, Any]:
    """The object of summary.json, an empty one where there is no such file; ModelError where it is no object."""
    data = _read(path)
    try:
        value = bounded_io.parse_json(data, strict=False) if data else {}
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path}: expected an object, got {value!r:.40}.")
    return value

"""Read and check the text files of a run directory for the report, and note the absent ones.

The directory of a run that was interrupted or is still training has only some of the files.
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
SMALLEST_MAGNITUDE = 1e-100  # a smaller number is read as 0
UNFINISHED = "the gradient check, the samples of the best and the final model and the comparisons are absent"
# The notes in the report about absent files. A report needs no timings.jsonl if there is a summary.json.
CONSEQUENCES = {
    SETTINGS: "the settings, the text's name and the machine are unknown",
    METRICS: "there is no loss to plot",
    SAMPLES: "there are no samples from the training",
    SUMMARY: f"the run was interrupted or is still training; {UNFINISHED}",
}


class MetricsLine(NamedTuple):
    """One line of metrics.jsonl: the losses since the previous line, in the unit of the run (`RunData.span`)."""

    update: int
    mean: float
    low: float
    high: float
    smooth: float
    epoch: float | None
    validation: float | None  # nats per character
    norm: float | None = None  # norm of the gradient


class SampleLine(NamedTuple):
    """One line of samples.jsonl."""

    update: int
    temperature: float | None
    text: str


class Point(NamedTuple):
    """An update and its smooth loss."""

    update: int
    loss: float


@dataclass(frozen=True)
class RunData:
    """The contents of a run directory's text files; `tables` is run.toml, `notes` list the absent or ignored parts."""

    name: str
    tables: Mapping[str, Any]
    records: tuple[MetricsLine, ...]
    samples: tuple[SampleLine, ...]
    timings: Mapping[str, Any]
    summary: Mapping[str, Any]
    notes: tuple[str, ...]

    def table(self, name: str) -> Mapping[str, Any]:
        """Return a table of run.toml, such as "training"; an empty one if it is absent."""
        return mapping(self.tables.get(name))

    @property
    def span(self) -> int:
        """Return the number of characters over which a loss is summed.

        This is T · B, the characters of an update, for preset classic, else 1: the loss is a mean per character.
        """
        training = self.table("training")
        if current_preset(training.get("preset", "classic")) != "classic" or training.get("documents", NONE) != NONE:
            return 1
        steps, streams = number(training, "sequence_length"), number(training, "batch_size")
        return max(1, int(steps or 25) * int(streams or 1))

    @property
    def unit(self) -> str:
        """Return the unit of the losses in words."""
        return unit_of(self.span)

    @property
    def text_name(self) -> str:
        """Return the name of the text, or the name of the run directory if run.toml has none."""
        return sanitize(str(self.table("text").get("name") or self.name))

    @property
    def updates(self) -> int | None:
        """Return the number of completed updates, from summary.json, else from metrics.jsonl; None without both."""
        updates = number(self.summary, "updates")
        if updates is not None:
            return int(updates)
        return self.records[-1].update if self.records else None

    @property
    def final(self) -> Point | None:
        """Return the last smooth loss and its update."""
        loss = number(self.summary, "smooth_loss")
        if loss is not None and self.updates is not None:
            return Point(self.updates, loss)
        return Point(self.records[-1].update, self.records[-1].smooth) if self.records else None

    @property
    def lowest(self) -> Point | None:
        """Return the lowest smooth loss of the records and its update."""
        if self.records:
            record = min(self.records, key=lambda record: record.smooth)
            return Point(record.update, record.smooth)
        return self.best

    @property
    def best(self) -> Point | None:
        """Return the update of the best model and the smooth loss at this update.

        With a held-out part, the best model has the lowest held-out loss; its smooth loss is usually not the lowest.
        Before summary.json exists, return the lowest smooth loss and its update.
        """
        update, loss = number(self.summary, "best_update"), number(self.summary, "best_smooth_loss")
        if update is not None and loss is not None:
            return Point(int(update), loss)
        return self.lowest if self.records else None

    @property
    def updates_per_epoch(self) -> float | None:
        """Return the updates of an epoch, computed from the update and the epoch of the last record."""
        last = self.records[-1] if self.records else None
        return last.update / last.epoch if last is not None and last.epoch else None

    def bits(self, loss: float) -> float:
        """Convert a loss of this run to bits per character."""
        return loss / self.span / math.log(2)


def load(folder: Path) -> RunData:
    """Read a run directory. Raises ModelError if it contains no run, or if a file is damaged or unreadable."""
    folder = Path(folder)
    present = {name for name in READ_FILES if _is_file(folder / name)}
    if not present:
        problem = "contains no run" if folder.is_dir() else "is not a folder"
        hint = "give a run directory that `recurra train` wrote, such as runs/kjv."
        raise ModelError(f"`{folder}` {problem}: expected run.toml and metrics.jsonl in it.", hint=hint)
    notes = [f"{name} is absent: {consequence}." for name, consequence in CONSEQUENCES.items() if name not in present]
    records = tuple(record_of(place, line) for place, line in _lines(folder / METRICS, notes))
    samples = tuple(sample_of(place, line) for place, line in _lines(folder / SAMPLES, notes))
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
    """Return the unit of a loss that is summed over `span` characters."""
    return f"nats per {span} characters" if span > 1 else "nats per character"


def mapping(value: object) -> Mapping[str, Any]:
    """Return `value` if it is a table, else an empty table."""
    return value if isinstance(value, dict) else {}


def number(table: Mapping[str, Any], name: str) -> float | None:
    """Return a number of `table`; None if it is absent, not a number, NaN, or larger than `LARGEST_NUMBER`."""
    value = table.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= LARGEST_NUMBER:
        return None
    return value if abs(value) >= SMALLEST_MAGNITUDE else 0


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise ModelError(f"`{path}` cannot be read: {error.strerror}.") from error


@contextlib.contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    """End the block silently if the file `path` is absent; raise ModelError if it cannot be read."""
    try:
        yield
    except FileNotFoundError:
        return
    except OSError as error:
        hint = "move it to another folder: a report does not need it." if error.errno == errno.EFBIG else None
        raise ModelError(f"`{path}` cannot be read: {error.strerror or error}.", hint=hint) from error


def _read(path: Path) -> bytes:
    with _read_errors(path):
        return bounded_io.read(path, bounded_io.MAX_TEXT_BYTES)
    return b""


def _lines(path: Path, notes: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of a .jsonl file, each as a pair (file and line number, object); skip an incomplete line."""
    with _read_errors(path):
        # Split the lines before decoding: an interrupted write may end within a character.
        for position, line in enumerate(bounded_io.lines(path, bounded_io.MAX_TEXT_BYTES), start=1):
            if not line.strip():
                continue
            place = f"`{path}`, line {position}"
            try:
                value = bounded_io.parse_json(line, strict=False)
            except ValueError as error:
                if not line.endswith(b"\n"):
                    notes.append(f"The last line of {path.name} is incomplete and was ignored.")
                    return
                raise ModelError(f"{place} is not JSON: {error}.") from error
            if not isinstance(value, dict):
                raise ModelError(f"{place}: expected an object, got {value!r:.40}.")
            yield place, value


def _required(place: str, table: Mapping[str, Any], name: str) -> float:
    value = number(table, name)
    if value is None:
        raise ModelError(f"{place}: expected a finite number as `{name}`, got {table.get(name)!r:.40}.")
    return value


def record_of(place: str, line: dict[str, Any]) -> MetricsLine:
    """Convert the object of a line of metrics.jsonl. Raises ModelError if it is invalid."""
    loss = mapping(line.get("loss"))
    return MetricsLine(
        update=int(_required(place, line, "update")),
        mean=_required(place, loss, "mean"),
        low=_required(place, loss, "min"),
        high=_required(place, loss, "max"),
        smooth=_required(place, line, "smooth_loss"),
        epoch=number(line, "epoch"),
        validation=number(line, "validation"),
        norm=number(line, "gradient_norm"),
    )


def sample_of(place: str, line: dict[str, Any]) -> SampleLine:
    """Convert the object of a line of samples.jsonl. Raises ModelError if it is invalid."""
    text = line.get("text")
    if not isinstance(text, str):
        raise ModelError(f"{place}: expected a string as `text`, got {text!r:.40}.")
    return SampleLine(int(_required(place, line, "update")), number(line, "temperature"), text)


def settings_of(path: Path) -> dict[str, Any]:
    """Return the tables of run.toml; {} if the file is absent. Raises ModelError if it is damaged or unreadable."""
    try:
        return bounded_io.parse_toml(_read(path))
    except ValueError as error:
        raise ModelError(f"`{path}` is not TOML: {error}.") from error


def summary_of(path: Path) -> dict[str, Any]:
    """Return the object of summary.json; {} if the file is absent. Raises ModelError if it is not an object."""
    data = _read(path)
    try:
        value = bounded_io.parse_json(data, strict=False) if data else {}
    except ValueError as error:
        raise ModelError(f"`{path}` is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ModelError(f"`{path}`: expected an object, got {value!r:.40}.")
    return value

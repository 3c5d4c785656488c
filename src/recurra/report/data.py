"""What a report reads: the plain files of one run folder, checked, and what is absent told.

A run that was interrupted, or that still goes on, lacks some of them; its report is made from the others.
"""

from __future__ import annotations

import json
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from recurra.config import NONE
from recurra.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILES = ("run.toml", "metrics.jsonl", "samples.jsonl", "timings.jsonl", "summary.json")
UNFINISHED = "the gradient check, the passages of the final and the best model and the comparisons are absent"
# What a missing file takes from the reader; summary.json tells what timings.jsonl does.
CONSEQUENCES = {
    "run.toml": "the settings, the text's name and the machine are unknown",
    "metrics.jsonl": "there is no loss to plot",
    "samples.jsonl": "there is nothing that the network wrote on the way",
    "summary.json": f"the run was interrupted or has not ended; {UNFINISHED}",
}


class Record(NamedTuple):
    """One line of metrics.jsonl: losses since the line before, in the run's own unit (`RunData.span`)."""

    update: int
    mean: float
    low: float
    high: float
    smooth: float
    epoch: float | None
    validation: float | None  # nats per character


class Sample(NamedTuple):
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
    records: tuple[Record, ...]
    samples: tuple[Sample, ...]
    timings: Mapping[str, Any]
    summary: Mapping[str, Any]
    notes: tuple[str, ...]

    def table(self, name: str) -> Mapping[str, Any]:
        """A table of run.toml, such as "training"; empty where absent."""
        return mapping(self.tables.get(name))

    @property
    def span(self) -> int:
        """The characters that a loss is summed over: those of an update for preset seed, else 1 (a mean)."""
        training = self.table("training")
        if training.get("preset", "seed") != "seed" or training.get("documents", NONE) != NONE:
            return 1
        return int(training.get("sequence_length", 25)) * int(training.get("batch_size", 1))

    @property
    def text_name(self) -> str:
        """The text's name; the folder's where run.toml tells none."""
        return str(self.table("text").get("name") or self.name)

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
    if not any((folder / name).is_file() for name in FILES):
        problem = "holds no run" if folder.is_dir() else "is not a folder"
        hint = "give a folder that `recurra train` wrote, such as runs/kjv."
        raise ModelError(f"{folder} {problem}: expected run.toml and metrics.jsonl in it.", hint=hint)
    notes = [
        f"{name} is absent: {consequence}."
        for name, consequence in CONSEQUENCES.items()
        if not (folder / name).is_file()
    ]
    records = tuple(_record(where, line) for where, line in _lines(folder / "metrics.jsonl", notes))
    samples = tuple(_sample(where, line) for where, line in _lines(folder / "samples.jsonl", notes))
    timings = [line for _, line in _lines(folder / "timings.jsonl", notes)]
    summary = _summary(folder / "summary.json")
    if summary and "baselines" not in summary:
        notes.append(f"The run was stopped before its last update: {UNFINISHED}.")
    return RunData(
        name=folder.resolve().name,
        tables=_settings(folder / "run.toml"),
        records=records,
        samples=samples,
        timings=timings[-1] if timings else {},
        summary=summary,
        notes=tuple(notes),
    )


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}


def number(table: Mapping[str, Any], name: str) -> float | None:
    """A finite number of a table; None where it is absent, null or something else."""
    value = table.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return value


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error}.") from error


def _parse(data: bytes) -> Any:
    """JSON, or ValueError (which UnicodeDecodeError is too)."""
    # Python writes NaN and Infinity, which JSON has not: they are shown as absent.
    return json.loads(data.decode("utf-8"), parse_constant=lambda _: None)


def _lines(path: Path, notes: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a .jsonl file with their places; a last line without its end is a writer cut short."""
    # Cut before decoding: a writer may have been stopped in the middle of a character.
    lines = _read(path).split(b"\n")
    for position, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}, line {position}"
        try:
            value = _parse(line)
        except ValueError as error:
            if position == len(lines):
                notes.append(f"The last line of {path.name} is half written and was left out.")
                return
            raise ModelError(f"{where} is not JSON: {error}.") from error
        if not isinstance(value, dict):
            raise ModelError(f"{where}: expected an object, got {value!r:.40}.")
        yield where, value


def _required(where: str, table: Mapping[str, Any], name: str) -> float:
    value = number(table, name)
    if value is None:
        raise ModelError(f"{where}: expected a finite number as `{name}`, got {table.get(name)!r}.")
    return value


def _record(where: str, line: dict[str, Any]) -> Record:
    loss = mapping(line.get("loss"))
    return Record(
        update=int(_required(where, line, "update")),
        mean=_required(where, loss, "mean"),
        low=_required(where, loss, "min"),
        high=_required(where, loss, "max"),
        smooth=_required(where, line, "smooth_loss"),
        epoch=number(line, "epoch"),
        validation=number(line, "validation"),
    )


def _sample(where: str, line: dict[str, Any]) -> Sample:
    text = line.get("text")
    if not isinstance(text, str):
        raise ModelError(f"{where}: expected a string as `text`, got {text!r}.")
    return Sample(int(_required(where, line, "update")), number(line, "temperature"), text)


def _settings(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_read(path).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is not TOML: {error}.") from error


def _summary(path: Path) -> dict[str, Any]:
    data = _read(path)
    try:
        value = _parse(data) if data else {}
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path}: expected an object, got {value!r:.40}.")
    return value

"""The layout of a run directory: the name and the place of every file in it.

runs/NAME/
  run.toml                                every setting, the text's name and sha256, versions
  sources.jsonl                           the text's files, if they are too many for run.toml
  metrics.jsonl timings.jsonl samples.jsonl
  summary.json report.html                written at the end
  checkpoints/
    update-000000010000.safetensors       a checkpoint, with the number of updates done
    latest.json                           the name and the sha256 of the latest checkpoint
    best.safetensors                      the best model; best-000000010000.safetensors until latest.json is written
    start.safetensors                     the model that a training with `--from` began with
    bad-update-….safetensors              a damaged checkpoint that was set aside
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recurra.io import atomic_write
from recurra.system.executable import program
from recurra.system.shell import path_argument
from recurra.text import exclusions

RUNS = Path("runs")  # the default parent of run directories
SETTINGS, SOURCES = exclusions.SETTINGS, "sources.jsonl"
METRICS, TIMINGS, SAMPLES = LOGS = exclusions.METRICS, "timings.jsonl", "samples.jsonl"
SUMMARY, REPORT = "summary.json", "report.html"
FILES = (SETTINGS, SOURCES, *LOGS, SUMMARY, REPORT)

CHECKPOINTS = exclusions.CHECKPOINTS
UPDATES, BESTS = "update-*.safetensors", "best-*.safetensors"  # patterns; * is the number of updates done
BEST, START, LATEST = "best.safetensors", "start.safetensors", exclusions.LATEST
BAD = "bad-"


def numbered(pattern: str, update: int) -> str:
    """Return the file name of `UPDATES` or `BESTS` for a number of updates."""
    return pattern.replace("*", f"{update:012d}")


def updates_of(name: str) -> int | None:
    """Return the number of updates in the file name of a checkpoint; None for any other file name."""
    before, after = UPDATES.split("*")
    number = name.removeprefix(before).removesuffix(after)
    is_name = name == before + number + after and number.isascii() and number.isdecimal() and len(number) <= 18
    return int(number) if is_name else None


def newest_checkpoint(folder: Path) -> Path | None:
    """Return the best model of the run directory `folder`, else its latest checkpoint; None if it has neither."""
    checkpoints = folder / CHECKPOINTS
    candidates = [checkpoints / BEST, *sorted(checkpoints.glob(UPDATES), reverse=True)]
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def train_command(options: str, folder: Path) -> str:
    """Return the command that trains in the run directory `folder` with `options`, such as "--resume"."""
    return f"{program()} train {options} --run {path_argument(folder)}"


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write an object to `path`, whole or not at all. Raises StorageError."""
    # A folder name may contain bytes that are not UTF-8, in Python surrogates; JSON has escapes for surrogates.
    text = json.dumps(value, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace")
    atomic_write.write(path, text + b"\n")

"""Short trainings for tests: a text of 7 symbols, a network of 8 units, and functions that train it."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import recurra
from recurra.config import configs
from recurra.runs import run as training_run
from recurra.runs.run import Run
from recurra.text.reading import from_string
from recurra.text.splits import newline_id
from recurra.text.streams import split
from recurra.text.vocabulary import Vocabulary
from recurra.training.events import Event
from recurra.training.snapshot import Snapshot
from recurra.training.trainer import Clock, Trainer

PACKAGE = {"PYTHONPATH": str(Path(recurra.__file__).parents[1])}  # for processes that start in a different folder
TEXT = "bad cab\nbed ace\ndeb abe\nabba cede\nbee dad a cad\n" * 4  # 192 characters
K, T = 7, 5  # 38 updates per epoch
SETTINGS: dict[str, Any] = {
    "hidden_size": 8, "sequence_length": T, "updates": 100, "log_every": 10, "sample_every": 50, "sample_length": 12,
}  # fmt: skip


class Commits(list[tuple[Snapshot, Snapshot | None]]):
    """A list of the pairs (snapshot, best) that a trainer committed."""

    def __call__(self, snapshot: Snapshot, best: Snapshot | None) -> Path:
        self.append((snapshot, best))
        return Path(f"update-{snapshot.update}")


def make_trainer(
    text: str = TEXT,
    commit: Callable[..., Any] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    time_limit: float | None = None,
    clock: Clock = time.perf_counter,
    **settings: Any,
) -> Trainer:
    """Create a trainer with `SETTINGS` changed by `settings`; the updates for a `time_limit` are already planned."""
    config, training = configs(SETTINGS | settings)
    training = dataclasses.replace(training, time_limit=time_limit)
    vocabulary = Vocabulary.of(text)
    newline = newline_id(training, vocabulary)
    train_ids, validation_ids, _ = split(vocabulary.encode(text), training.validation, newline=newline)
    commit = commit or Commits()
    parts = train_ids, validation_ids
    return Trainer(config, training, vocabulary, *parts, commit=commit, should_stop=should_stop, clock=clock)


def committed(trainer: Trainer) -> Commits:
    """Return the commits of a trainer so far."""
    return cast("Commits", trainer._commit)


def of_kind(events: list[Event], *kinds: type) -> list[Any]:
    """Return the events of these kinds."""
    return [event for event in events if isinstance(event, kinds)]


def train_small(folder: str | Path | None = None, text: str = TEXT, **settings: Any) -> Run:
    """Train in `folder` with `SETTINGS` changed by `settings`; check the gradients only if `with_proof` is True."""
    options: dict[str, Any] = {"with_proof": False}
    options |= {name: settings.pop(name) for name in ("force", "with_proof", "listeners") if name in settings}
    config, training = configs(SETTINGS | settings)
    return training_run.train(from_string(text), run=folder, model=config, training=training, **options)


def resume_small(folder: str | Path, text: str | None = TEXT, **settings: Any) -> Run:
    """Resume the training of `train_small` in `folder`."""
    listeners = settings.pop("listeners", ())
    return training_run.resume(folder, text=text, settings=settings, with_proof=False, listeners=listeners)


def all_bytes(folder: Path) -> dict[str, bytes]:
    """Return the contents of every file in a folder, by relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a .jsonl file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

"""What the tests of training share: a text of 7 symbols, a network of 8 units, and short ways to train it."""

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

PACKAGE = {"PYTHONPATH": str(Path(recurra.__file__).parents[1])}  # for processes that start in another folder
TEXT = "bad cab\nbed ace\ndeb abe\nabba cede\nbee dad a cad\n" * 4  # 192 characters
K, T = 7, 5  # 38 updates an epoch
SETTINGS: dict[str, Any] = {
    "hidden_size": 8, "sequence_length": T, "updates": 100, "log_every": 10, "sample_every": 50, "sample_length": 12,
}  # fmt: skip


class Commits(list[tuple[Snapshot, Snapshot | None]]):
    """What a trainer committed: (snapshot, best)."""

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
    """A trainer of `SETTINGS`, changed by `settings`; the `time_limit` is one for updates that are planned already."""
    config, training = configs(SETTINGS | settings)
    training = dataclasses.replace(training, time_limit=time_limit)
    vocabulary = Vocabulary.of(text)
    newline = newline_id(training, vocabulary)
    train_ids, validation_ids, _ = split(vocabulary.encode(text), training.validation, newline=newline)
    commit = commit or Commits()
    parts = train_ids, validation_ids
    return Trainer(config, training, vocabulary, *parts, commit=commit, should_stop=should_stop, clock=clock)


def committed(trainer: Trainer) -> Commits:
    """What the trainer has committed so far."""
    return cast("Commits", trainer._commit)


def of_kind(events: list[Event], *kinds: type) -> list[Any]:
    """The events of these kinds."""
    return [event for event in events if isinstance(event, kinds)]


def train_small(folder: str | Path | None = None, text: str = TEXT, **settings: Any) -> Run:
    """Train in `folder` with `SETTINGS`, changed by `settings`; without a proof unless asked."""
    options: dict[str, Any] = {"with_proof": False}
    options |= {name: settings.pop(name) for name in ("force", "with_proof", "listeners") if name in settings}
    config, training = configs(SETTINGS | settings)
    return training_run.train(from_string(text), run=folder, model=config, training=training, **options)


def resume_small(folder: str | Path, text: str | None = TEXT, **settings: Any) -> Run:
    """Go on with the training of `train_small` in `folder`."""
    listeners = settings.pop("listeners", ())
    return training_run.resume(folder, text=text, settings=settings, with_proof=False, listeners=listeners)


def rows(path: Path) -> list[dict[str, Any]]:
    """The lines of a .jsonl file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

"""A training stops at its time limit, and a training with the same number of updates gives the same bits."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest

from recurra.config import configs
from recurra.network.parameters import digest
from recurra.runs import run as training_run
from recurra.runs.layout import METRICS
from recurra.runs.layout import SETTINGS as RUN_TOML
from recurra.runs.run import Run
from recurra.text.reading import from_string
from recurra.training.events import Calibrating, Evaluated, Event, Finishing, Progress, Record
from small_training import SETTINGS, TEXT, committed, make_trainer, of_kind, resume_small, train_small


class FakeClock:
    """A clock that advances by `step` seconds whenever it is read, and by `pause` once, after `reads` readings."""

    def __init__(self, step: float, pause: float = 0.0, reads: int = 0) -> None:
        self._now, self._step, self._pause, self._reads = 0.0, step, pause, reads

    def __call__(self) -> float:
        self._reads -= 1
        self._now += self._step + (self._pause if self._reads == 0 else 0.0)
        return self._now


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"schedule": "cosine", "warm_up": 3},
        {"schedule": "exponential", "cell": "gru", "batch_size": 3, "optimizer": "adam"},
        {"schedule": "step", "validation": 0.2, "evaluate_every": 7},
    ],
)
def test_training_stops_at_time_limit_and_repeats_without_it(settings: dict[str, Any]) -> None:
    named: dict[str, Any] = {"updates": 10_000, "sample_every": 0} | settings
    trainer = make_trainer(time_limit=60.0, clock=FakeClock(0.25), **named)
    events = list(trainer.events())
    assert trainer.out_of_time
    assert 0 < trainer.update < 10_000
    assert trainer.seconds <= 66
    assert (trainer.training.updates, trainer.training.schedule_updates) == (trainer.update, 10_000)
    assert of_kind(events, Record)[-1].update == of_kind(events, Progress)[-1].updates == trainer.update
    assert committed(trainer)[-1][0].update == trainer.update
    again = make_trainer(**named | {"updates": trainer.update, "schedule_updates": 10_000})
    repeated = list(again.events())
    assert not again.out_of_time
    assert digest(again.engine.parameters()) == digest(trainer.engine.parameters())
    assert of_kind(repeated, Record) == of_kind(events, Record)
    assert of_kind(repeated, Evaluated) == of_kind(events, Evaluated)
    if "validation" in settings:
        assert of_kind(events, Evaluated)[-1].update == trainer.update


def test_time_limit_includes_last_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer(
        updates=10_000, validation=0.2, evaluate_every=5, sample_every=0, time_limit=60.0, clock=FakeClock(0.25)
    )
    evaluate = trainer._held_out_loss
    clock = trainer._clock

    def slow(*arguments: Any) -> float:
        for _ in range(40):  # 10 seconds
            clock()
        return evaluate(*arguments)

    monkeypatch.setattr(trainer, "_held_out_loss", slow)
    list(trainer.events())
    assert trainer.out_of_time
    assert trainer.seconds <= 66


def test_process_suspended_beyond_time_limit_ends_after_next_block() -> None:
    trainer = make_trainer(updates=10_000, sample_every=0, time_limit=60.0, clock=FakeClock(0.01, pause=1e3, reads=300))
    progress = of_kind(list(trainer.events()), Progress)
    assert [event.seconds > 60 for event in progress] == [False] * (len(progress) - 1) + [True]


def test_clock_without_time_limit_does_not_end_training() -> None:
    trainer = make_trainer(clock=FakeClock(1e6))
    list(trainer.events())
    assert (trainer.update, trainer.out_of_time) == (100, False)


def timed(folder: str, events: list[Event]) -> Run:
    """Train until the time limit, which comes before the last of 114 planned updates."""
    settings = {name: value for name, value in SETTINGS.items() if name != "updates"} | {"schedule": "cosine"}
    config, training = configs(settings | {"time_limit": 60.0, "max_epochs": 3.0, "checkpoint_every": 1e9})
    named: dict[str, Any] = {"model": config, "training": training, "with_proof": False, "listeners": [events.append]}
    return training_run.train(from_string(TEXT), run=folder, clock=FakeClock(1.0), **named)


def test_run_toml_and_summary_have_completed_updates(tmp_path: Path) -> None:
    events: list[Event] = []
    run = timed(str(tmp_path / "here"), events)
    done = run.summary["updates"]
    assert (run.summary["out_of_time"], run.summary["planned_updates"]) == (True, 114)
    assert 0 < done < 114
    table = tomllib.loads((run.folder / RUN_TOML).read_text())["training"]
    assert (table["updates"], table["schedule_updates"], table["time_limit"]) == (done, 114, 60.0)
    assert events[-1] == Finishing(done)
    again = train_small(tmp_path / "again", updates=done, schedule="cosine", schedule_updates=114)
    assert again.summary["model_sha256"] == run.summary["model_sha256"]
    assert (again.folder / METRICS).read_bytes() == (run.folder / METRICS).read_bytes()
    assert resume_small(run.folder).summary["updates"] == done  # the run is complete
    more = resume_small(run.folder, updates=114)  # `updates` removes the time limit
    whole = train_small(tmp_path / "whole", updates=114, schedule="cosine")
    assert more.summary["model_sha256"] == whole.summary["model_sha256"]
    assert tomllib.loads((run.folder / RUN_TOML).read_text())["training"]["time_limit"] == "none"


def test_calibration_is_first_event(tmp_path: Path) -> None:
    events: list[Event] = []
    timed(str(tmp_path / "here"), events)
    assert events[0] == Calibrating(time_limit=60.0, seconds=0.6)


@pytest.mark.parametrize("schedule", ["constant", "step", "exponential", "cosine"])
def test_schedule_stays_constant_after_its_updates(schedule: str) -> None:
    from recurra.network.optimizers import schedule_of

    _, training = configs({"updates": 50, "schedule": schedule})
    whole, longer = schedule_of(training), schedule_of(dataclasses.replace(training, updates=80, schedule_updates=50))
    assert [longer(update) for update in range(80)] == [whole(min(update, 49)) for update in range(80)]


def test_documents_train_within_time_limit(tmp_path: Path) -> None:
    """The timed text must contain a line: the id of the newline is 0, and a text of zeros is empty lines only."""
    settings = {name: value for name, value in SETTINGS.items() if name != "updates"}
    settings |= {"time_limit": 0.2, "max_epochs": 3.0, "documents": "lines", "validation": 0.2, "batch_size": 2}
    config, training = configs(settings)
    run = training_run.train(from_string(TEXT), model=config, training=training, run=tmp_path / "run", with_proof=False)
    assert run.summary["updates"] >= 1
    assert run.summary["validation_nats_per_character"] > 0

"""The number of updates that fit into a time limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from recurra.config import configs
from recurra.runs.run import train
from recurra.text.reading import from_string
from recurra.text.splits import create_stream, newline_id
from recurra.text.streams import split
from recurra.text.vocabulary import Vocabulary
from recurra.training import time_budget
from small_training import SETTINGS, TEXT, train_small


def updates(seconds: float, **settings: object) -> int:
    config, training = configs(SETTINGS | {"validation": 0.2} | settings)
    vocabulary = Vocabulary.of(TEXT)
    newline = newline_id(training, vocabulary)
    train_ids, validation_ids, _ = split(vocabulary.encode(TEXT), training.validation, newline=newline)
    stream = create_stream(training, train_ids, newline)
    return time_budget.updates_within(seconds, config, training, vocabulary, stream, validation_ids)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the clock by one that advances 0.1 s at each reading."""
    times = iter(range(10**6))
    monkeypatch.setattr("recurra.training.time_budget.time.perf_counter", lambda: next(times) / 10)


@pytest.mark.usefixtures("clock")
def test_updates_are_proportional_to_time() -> None:
    """Plan 98 of 100 s. The last evaluation takes 0.1 s, and so does the evaluation of each epoch of 30 updates."""
    few, many = updates(100.0), updates(1000.0)
    assert 0 < few < many
    assert many / few == pytest.approx((980 - 0.1) / (98 - 0.1), rel=0.15)


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("settings", [{"order": "random"}, {"documents": "lines", "batch_size": 3}])
def test_updates_are_planned_for_every_stream(settings: dict[str, object]) -> None:
    assert updates(100.0, **settings) > 1


@pytest.mark.usefixtures("clock")
def test_plan_has_at_least_one_update_and_at_most_max_epochs() -> None:
    assert updates(1e-3) == 1
    assert updates(1e6, max_epochs=2.0) == 2 * ((192 * 4 // 5 - 1) // 5)


def test_planned_updates_repeat_timed_training(tmp_path: Path) -> None:
    settings = {name: value for name, value in SETTINGS.items() if name != "updates"}
    config, training = configs(settings | {"time_limit": 0.2, "max_epochs": 3.0})
    measured = train(from_string(TEXT), model=config, training=training, run=tmp_path / "measured", with_proof=False)
    again = train_small(tmp_path / "again", updates=measured.summary["updates"])
    assert 1 <= measured.summary["updates"] <= 3 * 38
    assert again.summary["model_sha256"] == measured.summary["model_sha256"]

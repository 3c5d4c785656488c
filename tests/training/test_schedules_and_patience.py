"""The effect of schedules, patience, plateaus, averages and presets on a training."""

from itertools import pairwise

import numpy as np
import pytest

from recurra.config import ModelConfig, TrainingConfig
from recurra.config.keywords import configs
from recurra.config.presets import PRESETS
from recurra.errors import UsageError
from recurra.network.optimizers import schedule_of
from recurra.training.events import Evaluated, Record
from small_training import committed, make_trainer


@pytest.mark.parametrize("name", PRESETS)
def test_preset_settings_are_valid(name: str) -> None:
    model, training = configs({"preset": name})
    assert training.preset == name
    for key, value in PRESETS[name].items():
        assert getattr(model if hasattr(model, key) else training, key) == value


def test_setting_overrides_preset() -> None:
    model, training = configs({"preset": "medium", "layers": 1, "updates": 7})
    assert (model.cell, model.layers, training.updates, training.batch_size) == ("lstm", 1, 7, 32)
    with pytest.raises(UsageError, match=r"`preset` must be one of auto, classic, small, medium, large; got 'huge'\."):
        configs({"preset": "huge"})


def test_preset_classic_has_default_settings() -> None:
    assert configs({}) == (ModelConfig(), TrainingConfig())


@pytest.mark.parametrize("name", ["constant", "step", "exponential", "cosine"])
def test_schedule_falls_from_learning_rate_to_final_rate(name: str) -> None:
    training = TrainingConfig(schedule=name, learning_rate=0.5, updates=1000, final_rate=0.1)
    rates = [schedule_of(training)(update) for update in range(1000)]
    assert rates[0] == np.float32(0.5)
    assert all(later <= earlier for earlier, later in pairwise(rates))
    assert rates[-1] == pytest.approx(0.5 if name == "constant" else 0.05, rel=0.01)


def test_cosine_schedule_warms_up() -> None:
    rate = schedule_of(TrainingConfig(schedule="cosine", learning_rate=1.0, updates=100, warm_up=9))
    assert [rate(update) for update in range(10)] == pytest.approx([(k + 1) / 10 for k in range(10)])


@pytest.mark.parametrize("name", ["step", "exponential", "cosine"])
def test_schedule_of_zero_updates_is_positive(name: str) -> None:
    assert schedule_of(TrainingConfig(schedule=name, updates=0, warm_up=5))(0) > 0


def test_records_have_learning_rate_of_schedule() -> None:
    trainer = make_trainer(schedule="cosine", updates=40, log_every=10, sample_every=0)
    rates = [event.rate for event in trainer.events() if isinstance(event, Record)]
    assert rates == [schedule_of(trainer.training)(update) for update in (9, 19, 29, 39)]
    assert rates == sorted(rates, reverse=True)


def test_patience_ends_training_without_lower_held_out_loss() -> None:
    trainer = make_trainer(
        validation=0.2,
        learning_rate=3.0,
        updates=10_000,
        evaluate_every=10,
        patience=3,
        sample_every=0,
        checkpoint_every=0,
    )
    evaluations = [event for event in trainer.events() if isinstance(event, Evaluated)]
    assert trainer.out_of_patience
    assert not trainer.stopped
    assert [event.best for event in evaluations[-3:]] == [False] * 3
    assert trainer.update == evaluations[-1].update < 10_000
    assert [snapshot.update for snapshot, _ in committed(trainer)].count(trainer.update) == 1
    assert committed(trainer)[-1][0].update == trainer.update
    assert trainer.best is not None
    assert trainer.best.update < trainer.update


def test_plateau_halves_learning_rate() -> None:
    trainer = make_trainer(
        validation=0.2, learning_rate=3.0, updates=200, evaluate_every=10, log_every=10, plateau=2, sample_every=0
    )
    events = [event for event in trainer.events() if isinstance(event, (Evaluated, Record))]
    rate, worse = 3.0, 0
    for evaluated, record in zip(events[::2], events[1::2], strict=True):
        assert isinstance(evaluated, Evaluated)
        assert isinstance(record, Record)
        assert record.rate == rate
        worse = 0 if evaluated.best else worse + 1
        rate = rate / 2 if worse in {2, 4, 6, 8, 10} else rate
    assert rate < 3.0
    assert 3.0 * 0.5 ** committed(trainer)[-1][0].progress["drops"] == rate


@pytest.mark.parametrize("name", ["patience", "plateau"])
def test_patience_and_plateau_need_validation(name: str) -> None:
    with pytest.raises(UsageError, match=rf"`{name}` must be 0 if `validation` is 0; got 2\."):
        TrainingConfig.from_table({name: 2})


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_average_of_parameters_is_the_model(engine: str) -> None:
    trainer = make_trainer(engine=engine, updates=30, ema=0.5, sample_every=0, log_every=10)
    list(trainer.events())
    snapshot = committed(trainer)[-1][0]
    state = snapshot.optimizer_state
    for name, array in snapshot.model.parameters.items():
        expected = (state[f"average.{name}"] / state["average_weight"]).astype(np.float32)
        np.testing.assert_array_equal(array, expected)
        assert not np.array_equal(array, snapshot.parameters[name].astype(np.float32))


def test_average_does_not_change_training() -> None:
    plain, averaging = (
        make_trainer(updates=30, optimizer="adam"),
        make_trainer(updates=30, optimizer="adam", ema=0.9),
    )
    for trainer in (plain, averaging):
        list(trainer.events())
    for name, array in plain.engine.parameters().items():
        np.testing.assert_array_equal(array, averaging.engine.parameters()[name])

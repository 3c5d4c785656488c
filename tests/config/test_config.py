"""Settings: bounds, error messages, and conversion to and from a table."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.config import HYPERPARAMETERS, ModelConfig, TrainingConfig
from recurra.errors import UsageError


def test_defaults_are_preset_classic() -> None:
    training, model = TrainingConfig(), ModelConfig()
    assert (model.cell, model.hidden_size, model.layers) == ("elman", 100, 1)
    assert (training.sequence_length, training.batch_size, training.validation) == (25, 1, 0.0)
    assert (training.optimizer, training.learning_rate, training.clip_value) == ("adagrad", 0.1, 5.0)
    assert (training.updates, training.sample_every, training.initial_scale) == (100_000, 10_000, 0.01)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"updates": -1}, "`updates` must be a whole number, between 0 and 9223372036854775807; got -1."),
        ({"updates": 1.5}, "`updates` must be a whole number, between 0 and 9223372036854775807; got 1.5."),
        ({"updates": True}, "`updates` must be a whole number, between 0 and 9223372036854775807; got True."),
        ({"seed": 2**63}, "`seed` must be a whole number, between 0 and 9223372036854775807; got 9223372036854775808."),
        ({"sequence_length": 0}, "`sequence_length` must be a whole number, between 1 and 65536; got 0."),
        ({"learning_rate": float("nan")}, "`learning_rate` must be a positive finite number; got nan."),
        ({"learning_rate": 0}, "`learning_rate` must be a positive finite number; got 0."),
        ({"clip_value": -5.0}, "`clip_value` must be a positive finite number; got -5.0."),
        ({"initial_scale": float("inf")}, "`initial_scale` must be a positive finite number; got inf."),
        ({"validation": 0.95}, "`validation` must be a number from 0 to 0.9; got 0.95."),
        ({"checkpoint_every": -1}, "`checkpoint_every` must be a finite number, at least 0; got -1."),
        ({"engine": "gpu"}, "`engine` must be one of auto, compiled, reference, torch; got 'gpu'."),
        ({"order": "x"}, "`order` must be one of sequential, shuffled, random; got 'x'."),
        ({"documents": "x"}, "`documents` must be one of none, lines; got 'x'."),
        ({"documents": "lines", "order": "random"}, "`order` must be sequential with documents, .*; got 'random'."),
        ({"learning_rate": 10**400}, "`learning_rate` must be a positive finite number; got 1000.*…"),
        (
            {"learning_rate": 10**5000},
            "`learning_rate` must be a positive finite number; got a value too long to print.",
        ),
        ({"preset": "huge"}, "`preset` must be one of auto, classic.*; got 'huge'."),
    ],
)
def test_invalid_training_settings_raise(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TrainingConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "perceptron"}, "`cell` must be one of elman.*; got 'perceptron'."),
        ({"hidden_size": 0}, "`hidden_size` must be a whole number, between 1 and 16384; got 0."),
        ({"hidden_size": 10**9}, "`hidden_size` must be a whole number, between 1 and 16384; got 1000000000."),
        ({"cell": "x" * 1000}, "`cell` must be one of elman, .*; got 'x{79}…"),
        ({"layers": "2"}, "`layers` must be a whole number, between 1 and 64; got '2'."),
    ],
)
def test_invalid_model_settings_raise(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ModelConfig(**settings)


@given(
    st.builds(
        TrainingConfig,
        updates=st.integers(0, 10**9),
        seed=st.integers(0, 2**63 - 1),
        learning_rate=st.floats(1e-6, 10),
        clip_value=st.none() | st.floats(1e-3, 100),
        validation=st.floats(0, 0.9),
    )
)
def test_training_config_survives_table_round_trip(training: TrainingConfig) -> None:
    assert TrainingConfig.from_table(training.to_table()) == training


def test_error_names_unknown_setting_and_lists_known_ones() -> None:
    with pytest.raises(UsageError, match="unknown setting `color`") as caught:
        ModelConfig.from_table({"color": 1})
    assert "hidden_size" in str(caught.value.hint)


def test_hyperparameters_default_to_optimizer_and_unused_ones_to_none() -> None:
    adam, momentum = TrainingConfig(optimizer="adam"), TrainingConfig(optimizer="momentum", momentum=0.5)
    assert adam.hyperparameters == {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    assert (adam.momentum, adam.weight_decay) == (None, None)
    assert momentum.hyperparameters == {"momentum": 0.5}
    assert TrainingConfig(optimizer="rmsprop").beta2 == 0.99
    for training in (adam, momentum):
        assert TrainingConfig.from_table(training.to_table()) == training
    old = {name: value for name, value in adam.to_table().items() if name not in HYPERPARAMETERS["adamw"]}
    assert TrainingConfig.from_table(old) == adam


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"momentum": 0.9},
            "`momentum` must be left out with optimizer adagrad, because only momentum and nesterov use it; got 0.9.",
        ),
        (
            {"optimizer": "adam", "weight_decay": 0.1},
            "`weight_decay` must be left out with optimizer adam, because only adamw uses it; got 0.1.",
        ),
        ({"optimizer": "sgd", "epsilon": 1e-6}, "because only adagrad, rmsprop, adam and adamw use it; got 1e-06."),
        ({"optimizer": "adam", "beta1": 1}, "`beta1` must be a number from 0 to 0.999999; got 1."),
        ({"optimizer": "adam", "beta2": -0.1}, "`beta2` must be a number from 0 to 0.999999; got -0.1."),
        ({"epsilon": 0}, "`epsilon` must be a number from 1e-30 to 1; got 0."),
        ({"optimizer": "adamw", "weight_decay": float("nan")}, "`weight_decay` must be a finite number, at least 0"),
    ],
)
def test_unused_or_invalid_hyperparameters_raise(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        TrainingConfig(**settings)


def test_hint_names_optimizer_that_uses_the_hyperparameter() -> None:
    with pytest.raises(UsageError) as caught:
        TrainingConfig(weight_decay=0.1)
    assert caught.value.hint == "leave it out, or give `--optimizer adamw`."

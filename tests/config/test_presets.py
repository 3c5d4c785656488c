"""Presets, and the automatic choice of settings for a text and a time limit."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as some

from recurra.config import ModelConfig, TrainingConfig, configs
from recurra.config.presets import (
    AUTO_NETWORKS,
    MAX_EPOCHS,
    MAX_EPOCHS_WITH_DROPOUT,
    PRESETS,
    AutoNetwork,
    choose_settings,
    expected_loss,
)
from recurra.text.streams import split_points


@given(characters=some.integers(26, 10**9), seconds=some.floats(0.1, 1e6))
def test_auto_settings_fit_every_text_length(characters: int, seconds: float) -> None:
    _, training = configs({"preset": "auto", "time_limit": seconds}, characters)
    first, second = split_points(characters, training.validation, training.test)
    assert first > training.sequence_length * training.batch_size
    assert training.validation == 0 or second - first >= 2
    assert training.time_limit == seconds


@given(characters=some.integers(0, 10**8), seconds=some.floats(0.1, 1e5), more=some.floats(1, 100))
def test_more_text_or_time_never_gives_smaller_network(characters: int, seconds: float, more: float) -> None:
    network = AUTO_NETWORKS.index(choose_settings(characters, seconds).network)
    assert AUTO_NETWORKS.index(choose_settings(int(characters * more), seconds).network) >= network
    assert AUTO_NETWORKS.index(choose_settings(characters, seconds * more).network) >= network


def test_dropout_grows_with_the_epochs() -> None:
    shares = [choose_settings(characters, 600).settings["dropout"] for characters in (10**9, 10**7, 3 * 10**6, 10**6)]
    assert shares == sorted(shares)
    assert shares[0] == 0 < shares[-1]


def test_auto_limits_epochs_on_short_text() -> None:
    assert choose_settings(10_000, 1e6).settings["max_epochs"] == MAX_EPOCHS
    assert choose_settings(10**6, 1e6).settings["max_epochs"] == MAX_EPOCHS_WITH_DROPOUT


def test_auto_holds_out_25_characters_of_short_text() -> None:
    for characters in (100, 101, 249, 250, 419, 999, 1000, 10_000):
        first, second = split_points(characters, choose_settings(characters, 600).settings["validation"], 0.0)
        assert 25 <= second - first <= max(26, characters / 10 + 1)
    assert choose_settings(99, 600).settings["validation"] == 0.0


def test_choice_names_what_limits_it() -> None:
    assert choose_settings(10**4, 1).limited_by == ("time", "text")
    assert choose_settings(10**4, 600).limited_by == ("text",)
    assert choose_settings(10**7, 1).limited_by == ("time",)
    assert choose_settings(10**9, 1e6).limited_by == ()


@pytest.mark.parametrize(
    "network", AUTO_NETWORKS, ids=lambda network: f"{network.settings['cell']} {network.settings['hidden_size']}"
)
def test_expected_loss_equals_measurements_and_falls(network: AutoNetwork) -> None:
    for read, nats in network.losses:
        assert expected_loss(network, read) == pytest.approx(nats)
    losses = [expected_loss(network, 10**exponent) for exponent in range(3, 10)]
    assert losses == sorted(losses, reverse=True)


def test_updates_and_time_limit_replace_each_other() -> None:
    assert configs({"preset": "auto"})[1].time_limit == 600
    assert configs({"preset": "auto", "updates": 7})[1].time_limit is None
    assert configs({"preset": "medium", "time_limit": "2h"})[1].time_limit == 7200


@pytest.mark.parametrize(("duration", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1.5", 1.5), (7, 7)])
def test_duration_units_convert_to_seconds(duration: object, seconds: float) -> None:
    assert configs({"time_limit": duration})[1].time_limit == seconds


@pytest.mark.parametrize("name", PRESETS)
def test_presets_set_only_existing_settings(name: str) -> None:
    known = {field.name for config in (ModelConfig, TrainingConfig) for field in dataclasses.fields(config)}
    assert set(PRESETS[name]) <= known

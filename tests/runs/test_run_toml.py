"""The settings that a resumed run may change, and reading run.toml."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from recurra.config import ModelConfig, TrainingConfig
from recurra.errors import ModelError, UsageError
from recurra.runs.layout import SETTINGS
from recurra.runs.run_toml import FIXED, change_settings, read_settings

OF_MOGRIFIER = {"mogrifier_rounds", "mogrifier_rank"}
SAVED = ModelConfig().to_table() | TrainingConfig(updates=100, time_limit=60.0, validation=0.1).to_table()
FREE = {
    "updates": 200, "learning_rate": 0.01, "schedule": "cosine", "schedule_updates": 150, "warm_up": 5,
    "final_rate": 0.1, "clip_value": None, "clip_norm": 3.0, "dropout": 0.1, "patience": 2, "plateau": 3,
    "log_every": 7, "sample_every": 0, "sample_length": 9, "sample_prompt": "In", "evaluate_every": 8,
    "checkpoint_every": "1m", "keep": 9,
    "engine": "reference", "shards": 2, "threads": 1, "device": "cpu",
}  # fmt: skip
OTHER = {
    "cell": "gru", "activation": "relu", "hidden_size": 99, "layers": 2, "preset": "small", "time_limit": "2m",
    "max_epochs": 3.0, "seed": 1, "sequence_length": 24, "batch_size": 2, "order": "random", "documents": "lines",
    "optimizer": "adam", "initial_scale": None, "validation": 0.2, "test": 0.1, "ema": 0.9,
    "mogrifier_rounds": 3, "mogrifier_rank": 8,
    "momentum": 0.5, "beta1": 0.5, "beta2": 0.5, "epsilon": 1e-6, "weight_decay": 0.1,
}  # fmt: skip


def test_every_setting_is_fixed_or_free() -> None:
    fields = {field.name for config in (ModelConfig, TrainingConfig) for field in dataclasses.fields(config)}
    assert set(FIXED) == set(OTHER)
    assert FIXED.keys() | FREE.keys() == fields
    assert not FIXED.keys() & FREE.keys()


@pytest.mark.parametrize("name", FREE)
def test_free_setting_changes(name: str) -> None:
    _, training = change_settings(SAVED, {name: FREE[name]})
    expected = 60.0 if name == "checkpoint_every" else FREE[name]
    changes: dict[str, Any] = {name: expected}
    assert training == dataclasses.replace(change_settings(SAVED, {})[1], **changes)


@pytest.mark.parametrize("name", FIXED)
def test_fixed_setting_is_refused(name: str) -> None:
    pattern = rf"`{name}` of the run is .+, and cannot change when it is resumed; got .+\."
    with pytest.raises(UsageError, match=pattern) as caught:
        change_settings(
            SAVED | (ModelConfig(cell="mogrifier").to_table() if name in OF_MOGRIFIER else {}), {name: OTHER[name]}
        )
    assert caught.value.exit_code == 2
    assert caught.value.hint == FIXED[name]


def test_setting_of_different_cell_is_refused() -> None:
    with pytest.raises(UsageError, match="`mogrifier_rank` must be left out with cell elman; got 8"):
        change_settings(SAVED, {"mogrifier_rank": 8})


def test_equal_settings_are_accepted() -> None:
    assert change_settings(
        SAVED, SAVED | {"time_limit": "1m", "documents": None, "validation": 0.1}
    ) == change_settings(SAVED, {})


def test_unknown_or_invalid_setting_is_refused() -> None:
    with pytest.raises(UsageError, match=r"unknown setting `color`"):
        change_settings(SAVED, {"color": "red"})
    with pytest.raises(UsageError, match="`learning_rate` must be a positive finite number; got nan"):
        change_settings(SAVED, {"learning_rate": float("nan")})


def test_missing_run_toml_has_empty_tables(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == {"model": {}, "training": {}, "text": {}, "engine": {}}


@pytest.mark.parametrize("content", ["= 3", "[model\n", "\udcff"])
def test_unreadable_run_toml_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / SETTINGS).write_text(content, errors="surrogateescape")
    with pytest.raises(ModelError, match=r"run\.toml` cannot be read: ") as caught:
        read_settings(tmp_path)
    assert caught.value.hint is not None
    assert f"`rm {tmp_path / SETTINGS}`" in caught.value.hint
    assert f"`recurra train TEXT --resume --run {tmp_path}`" in caught.value.hint


def test_run_toml_without_tables_is_an_error(tmp_path: Path) -> None:
    (tmp_path / SETTINGS).write_text('training = "hard"\n')
    with pytest.raises(
        ModelError, match=r"run\.toml` is not valid: `model`, `training`, `text` and `engine` must be tables"
    ):
        read_settings(tmp_path)


def test_number_of_parameters_is_no_setting(tmp_path: Path) -> None:
    (tmp_path / SETTINGS).write_text("[model]\nlayers = 2\nparameters = 7\n")
    expected: dict[str, Any] = {"model": {"layers": 2}, "training": {}, "text": {}, "engine": {}}
    assert read_settings(tmp_path) == expected

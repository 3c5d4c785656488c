"""The gradient check on a text and for a saved model, and its failure for a wrong gradient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra.config import ModelConfig, TrainingConfig
from recurra.errors import ModelError, TextError
from recurra.io import tensor_file
from recurra.model import LanguageModel
from recurra.network import gradient_check
from recurra.network.network import State
from recurra.network.parameters import initialize
from recurra.runs import gradient_proof
from recurra.runs.gradient_proof import prove, prove_model
from recurra.runs.layout import BEST, CHECKPOINTS
from recurra.text.reading import from_string
from recurra.text.vocabulary import Vocabulary
from small_training import TEXT, K, T, train_small

CONFIG = ModelConfig(hidden_size=8)
TRAINING = TrainingConfig(sequence_length=T)
LETTERS = {"U", "W", "b", "V", "c", "h0", "x"}
FIGURES = {"max_abs_central", "max_rel_central", "max_rel_complex", "seed_tolerance", "passed", "checked", "elements"}


@pytest.fixture(autouse=True)
def _little_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gradient_proof, "TRAINED_UPDATES", 60)  # more than one epoch of `TEXT`, which has 38
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Record the arguments of every gradient check."""
    calls: list[tuple[Any, ...]] = []
    check_seed = gradient_check.check_initial_and_trained

    def spy(*arguments: Any, **bounds: Any) -> Any:
        calls.append(arguments)
        return check_seed(*arguments, **bounds)

    monkeypatch.setattr(gradient_check, "check_initial_and_trained", spy)
    return calls


def assert_proved(table: dict[str, Any], cell: str = "elman") -> None:
    assert table["passed"] is True
    assert set(table["cells"]) == {cell}
    assert set(table["cells"][cell]) == LETTERS
    for figures in table["cells"][cell].values():
        assert set(figures) == FIGURES
        assert figures["max_rel_complex"] <= gradient_check.COMPLEX_TOLERANCE
    assert {letter: table["cells"][cell][letter]["seed_tolerance"] for letter in "UWbVc"} == {
        "U": 1e-7, "W": 1e-9, "b": 1e-6, "V": 1e-7, "c": 1e-5,
    }  # fmt: skip
    assert all(row["checked"] == row["elements"] > 0 for row in table["cells"][cell].values())
    assert table["checked"] == table["elements"] == sum(row["elements"] for row in table["cells"][cell].values())
    assert table["seconds"] > 0


def test_gradients_are_right_on_text(checked: list[tuple[Any, ...]]) -> None:
    table = prove(text=from_string(TEXT), model=CONFIG, training=TRAINING)
    assert_proved(table)
    assert table["parameters"] == 191
    ((_, initial, trained, inputs, targets, state),) = checked
    ids = Vocabulary.of(TEXT).encode(TEXT)
    assert np.array_equal(inputs[:, 0], ids[:T])
    assert np.array_equal(targets[:, 0], ids[1 : T + 1])
    expected = initialize(CONFIG, K, seed=0)
    assert all(np.array_equal(initial[name], array) for name, array in expected.items())
    run = train_small(updates=60, sample_every=0)  # the second check uses the weights of a real training
    assert all(np.array_equal(trained[name], array) for name, array in run.model.parameters.items())
    assert np.abs(state.h).max() > 0.1


def test_gradients_are_right_on_file(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text(TEXT)
    assert_proved(prove(tmp_path / "book.txt", model=CONFIG, training=TRAINING))


@pytest.mark.parametrize(
    ("config", "settings"),
    [(ModelConfig(hidden_size=3, layers=2), {}), (CONFIG, {"batch_size": 3}), (CONFIG, {"engine": "reference"})],
)
def test_gradients_of_other_networks_are_right(config: ModelConfig, settings: dict[str, Any]) -> None:
    training = TrainingConfig(sequence_length=T, **settings)
    assert_proved(prove(text=from_string(TEXT), model=config, training=training))


def test_gradients_are_right_on_bytes(checked: list[tuple[Any, ...]]) -> None:
    text = from_string("é😀 " * 9, encoding="bytes")
    assert_proved(prove(text=text, model=ModelConfig(hidden_size=2), training=TRAINING))
    assert checked[0][1]["V"].shape == (256, 2)


def test_text_shorter_than_sequence_is_an_error() -> None:
    with pytest.raises(TextError, match="the text has 5 characters, but one sequence of 5 needs 6"):
        prove(text=from_string("abcab"), model=CONFIG, training=TRAINING)


@pytest.mark.parametrize("settings", [{}, {"layers": 2, "batch_size": 3}])
def test_gradients_of_run_are_right(checked: list[tuple[Any, ...]], settings: dict[str, Any]) -> None:
    run = train_small(**settings)
    assert_proved(prove_model(run.folder, TRAINING))
    ((_, _, trained, inputs, targets, state),) = checked
    assert all(np.array_equal(trained[name], array) for name, array in run.model.parameters.items())
    carried = tensor_file.read(run.folder / CHECKPOINTS / BEST)[0]["state.h"]
    assert np.array_equal(state.h, carried[:, :1])
    assert np.abs(state.h).max() > 0.1
    written = run.model.vocabulary.encode(run.model.sample(max_new_tokens=T + 1, seed=0))
    assert np.array_equal(inputs[:, 0], written[:-1])
    assert np.array_equal(targets[:, 0], written[1:])


def test_gradients_of_lstm_run_are_right() -> None:
    table = prove_model(train_small(cell="lstm").folder, TRAINING)
    assert table["passed"] is True
    assert {"h0", "c0"} < set(table["cells"]["lstm"])


@pytest.mark.parametrize("vocabulary", [Vocabulary.of("abc"), Vocabulary.bytes()])
def test_gradients_of_model_file_without_state_are_right(
    tmp_path: Path, checked: list[tuple[Any, ...]], vocabulary: Vocabulary
) -> None:
    config = ModelConfig(hidden_size=2)
    model = LanguageModel(config, vocabulary, initialize(config, len(vocabulary), seed=1, scale=0.5))
    model.save(tmp_path / "model")
    assert_proved(prove_model(tmp_path / "model", TRAINING))
    ((_, _, _, inputs, _, state),) = checked
    assert inputs.shape == (T, 1)
    assert not state.h.any()


def test_no_model() -> None:
    with pytest.raises(ModelError, match="there is no model `none`"):
        prove_model("none")


def test_wrong_gradient_fails_check(monkeypatch: pytest.MonkeyPatch) -> None:
    right = gradient_check._analytic_gradients

    def wrong(problem: Any) -> Any:
        gradients = right(problem)
        gradients["layers.0.W"] = gradients["layers.0.W"] * (1 + 1e-9)
        return gradients

    monkeypatch.setattr(gradient_check, "_analytic_gradients", wrong)
    table = prove(text=from_string(TEXT), model=CONFIG, training=TRAINING)
    assert table["passed"] is False
    assert [letter for letter, row in table["cells"]["elman"].items() if not row["passed"]] == ["W"]


def test_figures_of_two_sets_of_parameters() -> None:
    parameters = initialize(CONFIG, K, seed=4, scale=0.3)
    state = State(h=np.full((1, 1, 8), 0.25, np.float32))
    ids = Vocabulary.of(TEXT).encode(TEXT[: T + 1])
    table = gradient_proof.figures(CONFIG, initialize(CONFIG, K, seed=4), parameters, ids, state)
    assert_proved(table)

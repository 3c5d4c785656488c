"""The flat optimizer makes the steps of the NumPy equations, for any size of its pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra.config import HYPERPARAMETERS, OPTIMIZERS, ModelConfig, TrainingConfig
from recurra.engines import flat_optimizer
from recurra.engines.flat_optimizer import FlatOptimizer, clip
from recurra.engines.flat_parameters import FLAT, unflatten_state
from recurra.engines.kernels.lanes import aligned_zeros
from recurra.engines.parameter_layout import Layout
from recurra.engines.thread_team import Team
from recurra.network.optimizers import optimizer_of

N = 1008  # a multiple of 16


def flat(seed: int) -> NDArray[np.float32]:
    array = aligned_zeros(1, N)
    array[:] = np.random.default_rng(seed).normal(size=N) * 10.0 ** np.random.default_rng(seed + 1).uniform(-9, 3, N)
    return array


@pytest.mark.parametrize("share", [1, 0.75])
@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("piece", "threads"), [(16, 1), (304, 2), (10**6, 1)])
def test_steps_follow_the_equations(
    monkeypatch: pytest.MonkeyPatch, optimizer: str, ema: float, piece: int, threads: int, share: float
) -> None:
    """Check the default hyper-parameters, and three quarters of each: equal bits, but for AdaGrad."""
    monkeypatch.setattr(flat_optimizer, "PIECE_NUMBERS", piece)
    hyper: dict[str, Any] = {name: share * usual for name, usual in HYPERPARAMETERS[optimizer].items()}
    training = TrainingConfig(optimizer=optimizer, ema=ema, **hyper)
    plain, expected = optimizer_of(training), flat(0)
    state = plain.init({FLAT: expected})
    parameters = expected.copy()
    optimizer_step = FlatOptimizer(training, parameters)
    with Team(threads) as team:
        for step in range(4):
            rate = 0.1 / (step + 1)
            updated, state = plain.update({FLAT: expected}, {FLAT: flat(step + 7)}, state, rate)
            expected = updated[FLAT]
            optimizer_step.step(parameters, flat(step + 7), rate, team)
    actual, wanted = {"parameters": parameters} | optimizer_step.state, {"parameters": expected} | state
    assert list(actual) == list(wanted)
    for name, array in actual.items():
        if optimizer == "adagrad":  # 1 / √s by Newton's method
            assert np.allclose(array, wanted[name], rtol=2e-6, atol=1e-6), name
        else:
            assert array.tobytes() == wanted[name].tobytes(), name


def test_the_pieces_of_adagrad_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for piece in (16, 304, 10**6):
        monkeypatch.setattr(flat_optimizer, "PIECE_NUMBERS", piece)
        parameters = flat(0)
        optimizer_step = FlatOptimizer(TrainingConfig(optimizer="adagrad"), parameters)
        optimizer_step.step(parameters, flat(7), 0.1)
        results.append(parameters.tobytes())
    assert len(set(results)) == 1


def test_overflow_gives_infinity_without_a_warning() -> None:
    optimizer, parameters = FlatOptimizer(TrainingConfig(optimizer="momentum"), flat(0)), flat(0)
    for _ in range(2):
        optimizer.step(parameters, np.full((1, N), 3e38, np.float32), 1e38)
    assert not np.isfinite(parameters).any()


def test_saved_state_continues_with_the_same_bits() -> None:
    layout = Layout(ModelConfig(cell="lstm", hidden_size=5), 7)
    training = TrainingConfig(optimizer="adam", ema=0.9)
    parameters = {name: np.full(shape, 0.1, np.float32) for name, shape in layout.shapes.items()}
    first, start = FlatOptimizer(training, layout.pack(parameters)), layout.pack(parameters)
    first.step(start, layout.pack(parameters), 0.1)
    saved = unflatten_state(first.state, layout)
    second = FlatOptimizer(training, start)
    second.load(saved, layout)
    again = unflatten_state(second.state, layout)
    assert saved["mean.layers.0.W"].shape == (20, 5)
    assert saved["mean_weight"] > 0
    assert list(again) == list(saved)
    assert all(np.array_equal(again[name], array) for name, array in saved.items())
    assert not any(np.shares_memory(saved[name], array) for name in saved for array in first.state.values())


def test_clip_in_place_by_norm_then_by_value() -> None:
    gradient = np.array([[3, -4]], np.float32)
    for norm, expected in ((None, [3, -4]), (5.0, [3, -4]), (2.5, [1.5, -2])):
        clipped = gradient.copy()
        assert clip(clipped, 5.0, TrainingConfig(clip_value=None, clip_norm=norm)) is clipped
        assert clipped.tolist() == [expected]
    assert clip(gradient, 5.0, TrainingConfig(clip_value=1.75, clip_norm=2.5)).tolist() == [[1.5, -1.75]]

"""The optimisers' kernels and pieces: the bits of the equations in NumPy, however the work is divided."""

from __future__ import annotations

import numpy as np
import pytest

from recurra.config import OPTIMIZERS, TrainingConfig
from recurra.engines import optimizing
from recurra.engines.kernels.lanes import aligned_zeros
from recurra.engines.optimizing import FLAT, FlatOptimizer
from recurra.engines.team import Team
from recurra.network.optimizers import optimizer_of

N = 1008  # a multiple of 16


def flat(seed):
    array = aligned_zeros(1, N)
    array[:] = np.random.default_rng(seed).normal(size=N) * 10.0 ** np.random.default_rng(seed + 1).uniform(-9, 3, N)
    return array


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("piece", "threads"), [(16, 1), (304, 2), (10**6, 1)])
def test_every_step_has_the_bits_of_the_equations(monkeypatch, optimizer, ema, piece, threads):
    monkeypatch.setattr(optimizing, "PIECE", piece)
    training = TrainingConfig(optimizer=optimizer, ema=ema)
    plain, expected = optimizer_of(training), flat(0)
    state = plain.init({FLAT: expected})
    found = expected.copy()
    own = FlatOptimizer(training, found)
    with Team(threads) as team:
        for step in range(4):
            rate = 0.1 / (step + 1)
            updated, state = plain.update({FLAT: expected}, {FLAT: flat(step + 7)}, state, rate)
            expected = updated[FLAT]
            own.step(found, flat(step + 7), rate, team)
    assert found.tobytes() == expected.tobytes()
    assert {name: array.tobytes() for name, array in own.state.items()} == {
        name: array.tobytes() for name, array in state.items()
    }


def test_what_is_too_large_becomes_infinite_without_a_warning():
    own, found = FlatOptimizer(TrainingConfig(optimizer="momentum"), flat(0)), flat(0)
    for _ in range(2):
        own.step(found, np.full((1, N), 3e38, np.float32), 1e38)
    assert not np.isfinite(found).any()

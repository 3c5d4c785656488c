"""Optimisers, clipping, schedules, and the search for values that are not finite."""

from __future__ import annotations

import math

import numpy as np
import pytest
from problems import problem

from recurra import config as settings
from recurra.errors import NumericalError
from recurra.network import network
from recurra.network.optimizers import (
    OPTIMIZERS,
    adagrad_init,
    adagrad_update,
    clip_by_value,
    constant,
    global_norm,
    require_finite,
)


def test_every_configurable_optimizer_is_here() -> None:
    assert tuple(OPTIMIZERS) == settings.OPTIMIZERS


def test_adagrad_by_hand() -> None:
    """s = 16 + 3^2 = 25, step 0.1 * 3 / 5 = 0.06; without a past, a step is the rate itself."""
    parameters = {"V": np.array([1.0, 1.0])}
    state = {"squares.V": np.array([16.0, 0.0])}
    new, new_state = adagrad_update(parameters, {"V": np.array([3.0, -2.0])}, state, 0.1)
    np.testing.assert_allclose(new["V"], [0.94, 1.1], rtol=1e-9)
    assert new_state["squares.V"].tolist() == [25.0, 4.0]


def test_adagrad_has_epsilon_under_the_root() -> None:
    """g = 1e-4 and s = 0: g / sqrt(1e-8 + 1e-8) = sqrt(1/2)."""
    parameters = {"c": np.zeros(1)}
    new, _ = adagrad_update(parameters, {"c": np.array([1e-4])}, adagrad_init(parameters), 1.0)
    assert new["c"][0] == pytest.approx(-math.sqrt(0.5), rel=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_optimizers_are_pure_and_keep_the_dtype(name: str, dtype: type[np.floating]) -> None:
    optimizer = OPTIMIZERS[name]
    parameters = {"V": np.ones((2, 3), dtype), "c": np.ones(2, dtype)}
    gradients = {"V": np.full((2, 3), 2, dtype), "c": np.full(2, -1, dtype), "state.h": np.ones((1, 1, 1))}
    state = optimizer.init(parameters)
    new, new_state = optimizer.update(parameters, gradients, state, 0.1)
    assert list(new) == ["V", "c"]
    assert new_state.keys() == state.keys()
    assert all(array.dtype == dtype for array in [*new.values(), *new_state.values()])
    assert all((array == 1).all() for array in parameters.values())
    assert all(
        np.array_equal(array, fresh)
        for array, fresh in zip(state.values(), optimizer.init(parameters).values(), strict=True)
    )
    assert (new["V"] < 1).all()
    assert (new["c"] > 1).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_one_batch_can_be_learnt_by_heart(name: str) -> None:
    p = problem(T=10, B=1, H=12, K=5, scale=0.1)
    optimizer = OPTIMIZERS[name]
    parameters, state = p.parameters, optimizer.init(p.parameters)
    for _ in range(200):
        _, gradients, _ = network.loss_and_gradients(p.config, parameters, p.inputs, p.targets, p.state)
        parameters, state = optimizer.update(parameters, clip_by_value(gradients, 5), state, 0.1)
    loss, _, _ = network.loss_and_gradients(p.config, parameters, p.inputs, p.targets, p.state)
    assert loss < 0.01 * 10 * math.log(5)


def test_clipping() -> None:
    gradients = {"b": np.array([-7.0, -5.0, 0.5, 6.0], np.float32)}
    clipped = clip_by_value(gradients, 5.0)["b"]
    assert clipped.tolist() == [-5, -5, 0.5, 5]
    assert clipped.dtype == np.float32
    assert gradients["b"][0] == -7


def test_the_norm_is_over_all_arrays() -> None:
    gradients = {"V": np.array([[3.0, 0.0]], np.float32), "c": np.array([4.0], np.float32)}
    assert global_norm(gradients) == 5


def test_the_norm_of_large_float32_does_not_overflow() -> None:
    assert global_norm({"c": np.array([3e30, 4e30], np.float32)}) == pytest.approx(5e30, rel=1e-6)


def test_a_constant_rate_is_rounded_to_float32() -> None:
    schedule = constant(0.1)
    assert schedule(1) == schedule(10**6) == float(np.float32(0.1)) != 0.1


def test_finite_values_pass() -> None:
    require_finite(1.0, {"V": np.ones(3)}, 1)


@pytest.mark.parametrize(
    ("loss", "value", "tensor", "message"),
    [
        (math.nan, 0.0, "loss", r"the loss became nan at update 12; it must be finite\."),
        (1.0, math.inf, "V", r"the gradient of `V` became inf at update 12; it must be finite\."),
        (
            1.0,
            math.nan,
            "V",
            r"the gradient of `V` became nan at update 12; it must be finite\.\nhint: train again with a lower",
        ),
    ],
)
def test_what_is_not_finite_is_named(loss: float, value: float, tensor: str, message: str) -> None:
    with pytest.raises(NumericalError, match=message) as caught:
        require_finite(loss, {"c": np.zeros(2), "V": np.array([[0.0, value]])}, 12)
    assert (caught.value.tensor, caught.value.update) == (tensor, 12)

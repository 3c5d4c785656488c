"""The moving average of the parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra.network.optimizers import PURE_OPTIMIZERS, add_averaging, average_of


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", PURE_OPTIMIZERS)
def test_average_after_one_update_equals_the_parameters(name: str, dtype: type[np.floating]) -> None:
    plain, averaging = PURE_OPTIMIZERS[name], add_averaging(PURE_OPTIMIZERS[name], 0.999)
    parameters = {"V": np.array([[1.5, -2.0]], dtype), "c": np.array([3.0], dtype)}
    gradients = {"V": np.array([[0.5, 1.0]], dtype), "c": np.array([-1.0], dtype)}
    expected, plain_state = plain.update(parameters, gradients, plain.init(parameters), 0.1)
    actual, state = averaging.update(parameters, gradients, averaging.init(parameters), 0.1)
    average = average_of(state)
    assert average is not None
    assert list(average) == ["V", "c"]
    for key, array in average.items():
        assert array.dtype == dtype
        np.testing.assert_array_equal(actual[key], expected[key])
        np.testing.assert_allclose(array, expected[key], rtol=2e-7)
    assert set(plain_state) | {"average.V", "average.c", "average_weight"} == set(state)


def _average(state: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    average = average_of(state)
    assert average is not None
    return average


def _after(values: list[NDArray[Any]], decay: float) -> dict[str, NDArray[Any]]:
    """Return the state after updates whose results are `values`."""
    averaging = add_averaging(PURE_OPTIMIZERS["sgd"], decay)
    parameters = {"c": np.zeros_like(values[0])}
    state = averaging.init(parameters)
    for value in values:
        parameters, state = averaging.update(parameters, {"c": parameters["c"] - value}, state, 1.0)
    return state


def test_average_is_the_weighted_mean_of_all_updates() -> None:
    state = _after([np.array([value]) for value in (5.0, -1.0, 2.0, 7.0)], 0.5)
    expected = (5 / 8 - 1 / 4 + 2 / 2 + 7) / (1 / 8 + 1 / 4 + 1 / 2 + 1)
    assert _average(state)["c"][0] == pytest.approx(expected, rel=1e-14)
    assert state["average_weight"][0] == 1 - 0.5**4


def test_average_of_constant_parameters_does_not_drift() -> None:
    """The error is at most about 1 / (1 - decay) rounding errors: each addend is so much smaller than the sum."""
    state = _after([np.array([np.pi], np.float32)] * 5000, 0.999)
    np.testing.assert_allclose(_average(state)["c"], np.float32(np.pi), rtol=1e-4)


def test_state_is_flat_and_updates_are_pure() -> None:
    parameters = {"layers.0.W": np.ones((2, 2), np.float32)}
    averaging = add_averaging(PURE_OPTIMIZERS["sgd"], 0.9)
    state = averaging.init(parameters)
    _, new = averaging.update(parameters, parameters, state, 0.5)
    assert [(name, array.shape) for name, array in state.items()] == [
        ("average.layers.0.W", (2, 2)),
        ("average_weight", (1,)),
    ]
    assert list(new) == list(state)
    assert not any(array.any() for array in state.values())
    assert {array.dtype for array in new.values()} == {np.dtype(np.float32)}


def test_no_average_before_the_first_update() -> None:
    parameters = {"c": np.ones(1)}
    assert average_of(add_averaging(PURE_OPTIMIZERS["adam"], 0.9).init(parameters)) is None
    assert average_of(PURE_OPTIMIZERS["adam"].init(parameters)) is None

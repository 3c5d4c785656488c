"""The moving average of the parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recurra.errors import UsageError
from recurra.network.optimizers import average, average_init, average_update


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_after_one_update_it_is_the_parameters(dtype: type[np.floating[Any]]) -> None:
    parameters = {"V": np.array([[1.5, -2.0]], dtype), "c": np.array([3.0], dtype)}
    state = average_update(parameters, average_init(parameters), decay=0.999)
    averaged = average(state)
    assert list(averaged) == ["V", "c"]
    for name, array in averaged.items():
        assert array.dtype == dtype
        np.testing.assert_allclose(array, parameters[name], rtol=2e-7)


def test_it_is_the_weighted_mean_of_all_since_the_start() -> None:
    values = [5.0, -1.0, 2.0, 7.0]
    state = average_init({"c": np.zeros(1)})
    for value in values:
        state = average_update({"c": np.array([value])}, state, decay=0.5)
    assert average(state)["c"][0] == pytest.approx((5 / 8 - 1 / 4 + 2 / 2 + 7) / (1 / 8 + 1 / 4 + 1 / 2 + 1), rel=1e-14)
    assert state["weight"][0] == 1 - 0.5**4


def test_of_constant_parameters_it_is_them_for_ever() -> None:
    """To within 1 / (1 - decay) roundings: what is added to the sum is that much smaller than the sum."""
    parameters = {"c": np.array([np.pi], np.float32)}
    state = average_init(parameters)
    for _ in range(5000):
        state = average_update(parameters, state, decay=0.999)
    np.testing.assert_allclose(average(state)["c"], np.float32(np.pi), rtol=1e-4)


def test_the_state_is_flat_arrays_and_updates_are_pure() -> None:
    parameters = {"layers.0.W": np.ones((2, 2), np.float32)}
    state = average_init(parameters)
    new = average_update(parameters, state)
    assert [(name, array.shape) for name, array in state.items()] == [("sum.layers.0.W", (2, 2)), ("weight", (1,))]
    assert list(new) == list(state)
    assert not any(array.any() for array in state.values())
    assert {array.dtype for array in new.values()} == {np.dtype(np.float32)}


def test_before_the_first_update_there_is_no_average() -> None:
    with pytest.raises(UsageError, match=r"the average holds no parameters yet; it must be updated at least once\."):
        average(average_init({"c": np.ones(1)}))

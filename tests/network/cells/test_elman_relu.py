"""The Elman cell with relu, against values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from recurra.config import ModelConfig
from recurra.network.cells import elman, equations_of

# H = 2, D = 1, T = 2, B = 1. W exchanges the units.
# a_1 = (2, 1) + (1, -4) = (3, -3), h_1 = (3, 0)        (h_0 = (1, 2))
# a_2 = (0, 3) + (1, -4) = (1, -1), h_2 = (1, 0)
PARAMETERS = {"U": np.array([[1.0], [-4.0]]), "W": np.array([[0.0, 1.0], [1.0, 0.0]]), "b": np.zeros(2)}
X = np.ones((2, 1, 1))
RELU = equations_of(ModelConfig(activation="relu"))
STATE = elman.State(h=np.array([[1.0, 2.0]]))


def test_forward_by_hand() -> None:
    h, final, _ = RELU.forward(PARAMETERS, X, STATE)
    assert h.tolist() == [[[3, 0]], [[1, 0]]]
    assert final.h.tolist() == [[1, 0]]


def test_backward_by_hand() -> None:
    """da_2 = (10, 0) and da_1 = (5 + 0, 0): W sends 10 to a unit whose slope is 0; dh_0 = W^T da_1 = (0, 5)."""
    _, _, cache = RELU.forward(PARAMETERS, X, STATE)
    dh = np.array([[[5.0, 7.0]], [[10.0, 20.0]]])
    gradients, dx, dstate0 = RELU.backward(PARAMETERS, cache, dh, elman.State(h=np.zeros((1, 2))))
    assert gradients["U"].tolist() == [[15], [0]]
    assert gradients["W"].tolist() == [[5 * 1 + 10 * 3, 5 * 2 + 10 * 0], [0, 0]]
    assert gradients["b"].tolist() == [15, 0]
    assert dx.ravel().tolist() == [5, 10]
    assert dstate0.h.tolist() == [[0, 5]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_relu_uses_the_real_part_and_keeps_the_dtype(dtype: type[np.generic]) -> None:
    h = elman.relu(np.array([-2, 0, 3]).astype(dtype))
    assert h.dtype == dtype
    assert h.tolist() == [0, 0, 3]
    slope = elman.relu_slope(h)
    assert slope.dtype == dtype
    assert slope.tolist() == [0, 0, 1]


def test_complex_step_gives_the_slope_of_an_active_unit() -> None:
    assert elman.relu(np.array([1 + 1e-30j, -1 + 1e-30j])).imag.tolist() == [1e-30, 0]


def test_nan_stays_nan() -> None:
    assert np.isnan(elman.relu(np.array([np.nan]))).all()

"""The Elman cell, against values computed by hand; tests/network/test_network.py checks the gradients of a network."""

from __future__ import annotations

import math

import numpy as np

from recurra.network.cells import elman

LN3 = math.log(3)
# H = 1, D = 2, T = 2, B = 1. tanh((ln 3) / 2) = (3 - 1) / (3 + 1) = 1/2 and tanh(ln 3) = (9 - 1) / (9 + 1) = 4/5.
# a_1 = 1/2 * 1 + (ln 3 / 2 - 3/4) + 1/4 = ln 3 / 2,  h_1 = 1/2        (x_1 picks column 1, h_0 = 1)
# a_2 = 1/2 * 1/2 + (ln 3 - 1/2) + 1/4 = ln 3,        h_2 = 4/5        (x_2 picks column 0)
PARAMETERS = {
    "U": np.array([[LN3 - 0.5, LN3 / 2 - 0.75]]),
    "W": np.array([[0.5]]),
    "b": np.array([0.25]),
}
X = np.array([[[0.0, 1.0]], [[1.0, 0.0]]])
STATE = elman.State(h=np.array([[1.0]]))


def test_forward_by_hand() -> None:
    h, final, _ = elman.forward(PARAMETERS, X, STATE)
    np.testing.assert_allclose(h, [[[0.5]], [[0.8]]], rtol=1e-15)
    np.testing.assert_allclose(final.h, [[0.8]], rtol=1e-15)


def test_backward_by_hand() -> None:
    """From the layer above dh_1 = 1 and dh_2 = 15; from later time steps 10 for h_2.

    The expected gradients:

        da_2 = (15 + 10) (1 - 16/25) = 9                da_1 = (1 + 1/2 * 9) (1 - 1/4) = 33/8
        dW = 33/8 * 1 + 9 * 1/2 = 69/8     db = 105/8   dU = (9, 33/8)     dh_0 = 1/2 * 33/8 = 33/16
        dx_t = U^T da_t
    """
    _, _, cache = elman.forward(PARAMETERS, X, STATE)
    dh = np.array([[[1.0]], [[15.0]]])
    gradients, dx, dstate0 = elman.backward(PARAMETERS, cache, dh, elman.State(h=np.array([[10.0]])))
    np.testing.assert_allclose(gradients["U"], [[9, 33 / 8]], rtol=1e-14)
    np.testing.assert_allclose(gradients["W"], [[69 / 8]], rtol=1e-14)
    np.testing.assert_allclose(gradients["b"], [105 / 8], rtol=1e-14)
    np.testing.assert_allclose(dstate0.h, [[33 / 16]], rtol=1e-14)
    np.testing.assert_allclose(dx, [33 / 8 * PARAMETERS["U"], 9 * PARAMETERS["U"]], rtol=1e-14)


def test_shapes() -> None:
    assert elman.shapes(5, 3) == {"U": (3, 5), "W": (3, 3), "b": (3,)}
    assert elman.SPEC.gates == ("a",)


def test_arguments_are_not_changed() -> None:
    """The cache contains the caller's arrays, so `backward` must not write to them."""
    before = X.copy(), STATE.h.copy(), {name: array.copy() for name, array in PARAMETERS.items()}
    _, _, cache = elman.forward(PARAMETERS, X, STATE)
    dh = np.ones((2, 1, 1))
    elman.backward(PARAMETERS, cache, dh, STATE)
    assert np.array_equal(X, before[0])
    assert np.array_equal(STATE.h, before[1])
    assert all(np.array_equal(PARAMETERS[name], array) for name, array in before[2].items())
    assert np.array_equal(dh, np.ones((2, 1, 1)))

"""The GRU, against values computed by hand; tests/network/test_network.py checks the gradients of a network."""

from __future__ import annotations

import math

import numpy as np

from recurra.network.cells import gru
from recurra.network.cells.elman import State

LN3 = math.log(3)
# sigmoid(0) = 1/2, sigmoid(ln 3) = 3/4 and tanh((ln 3) / 2) = 1/2. H = D = T = B = 1, x = 1 and h_0 = 2.
# r = sigmoid(1 - 2 + 1) = 1/2      z = sigmoid(ln 3 - 1 + 1) = 3/4      q = 2 * 3/2 + 1 = 4
# n = tanh((ln 3) / 2 - 3 + 1 + 4/2) = 1/2                                h_1 = 1/4 * 1/2 + 3/4 * 2 = 13/8
PARAMETERS = {
    "U": np.array([[1.0], [LN3], [LN3 / 2 - 3.0]]),
    "W": np.array([[-1.0], [-0.5], [1.5]]),
    "b": np.array([1.0, 1.0, 1.0]),
    "b_n": np.array([1.0]),
}
X = np.ones((1, 1, 1))
STATE = State(h=np.full((1, 1), 2.0))


def test_forward_by_hand() -> None:
    h, final, _ = gru.forward(PARAMETERS, X, STATE)
    np.testing.assert_allclose(h, [[[13 / 8]]], rtol=1e-14)
    np.testing.assert_allclose(final.h, [[13 / 8]], rtol=1e-14)


def test_backward_by_hand() -> None:
    """dh_1 = 32: 30 from the layer above and 2 from later time steps.

    The expected gradients:

        du_n = 32 * 1/4 * 3/4 = 6    du_z = 32 * (2 - 1/2) * 3/4 * 1/4 = 9    du_r = 6 * 4 * 1/2 * 1/2 = 6
        dq = 6 * 1/2 = 3             dw = (6, 9, 3)                           dh_0 = -6 - 9/2 + 9/2 + 32 * 3/4 = 18
        dx = 6 + 9 ln 3 + 6 ((ln 3) / 2 - 3) = 12 ln 3 - 12
    """
    _, _, cache = gru.forward(PARAMETERS, X, STATE)
    gradients, dx, dstate0 = gru.backward(PARAMETERS, cache, np.full((1, 1, 1), 30.0), State(h=np.full((1, 1), 2.0)))
    np.testing.assert_allclose(gradients["b"], [6, 9, 6], rtol=1e-13)
    np.testing.assert_allclose(gradients["U"], [[6], [9], [6]], rtol=1e-13)
    np.testing.assert_allclose(gradients["W"], [[12], [18], [6]], rtol=1e-13)
    np.testing.assert_allclose(gradients["b_n"], [3], rtol=1e-13)
    np.testing.assert_allclose(dstate0.h, [[18]], rtol=1e-13)
    np.testing.assert_allclose(dx, [[[12 * LN3 - 12]]], rtol=1e-13)


def test_shapes() -> None:
    assert gru.shapes(5, 3) == {"U": (9, 5), "W": (9, 3), "b": (9,), "b_n": (3,)}
    assert gru.GATES == ("r", "z", "n")


def test_update_gate_keeps_or_replaces_the_hidden_state() -> None:
    """With z = 1, h stays the same for any input. With z = 0 and r = 0, h does not depend on its previous value."""
    weights = {"U": np.ones((6, 3)), "W": np.ones((6, 2)), "b_n": np.ones(2)}
    h0 = np.array([[0.3, -2.0]])
    closed = weights | {"b": np.array([0.0, 0, 100, 100, 0, 0])}
    _, final, _ = gru.forward(closed, np.ones((50, 1, 3)), State(h=h0))
    np.testing.assert_allclose(final.h, h0, rtol=1e-14)
    opened = weights | {"b": np.array([-100.0, -100, -100, -100, 0, 0])}
    h, _, _ = gru.forward(opened, np.ones((1, 1, 3)), State(h=h0))
    np.testing.assert_allclose(h, np.full((1, 1, 2), np.tanh(3.0)), rtol=1e-14)


def test_arguments_are_not_changed() -> None:
    _, _, cache = gru.forward(PARAMETERS, X, STATE)
    before = [array.copy() for array in (X, *STATE, *PARAMETERS.values())]
    dh = np.ones((1, 1, 1))
    gru.backward(PARAMETERS, cache, dh, STATE)
    assert all(map(np.array_equal, before, (X, *STATE, *PARAMETERS.values())))
    assert dh.tolist() == [[[1]]]

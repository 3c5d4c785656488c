"""The LSTM, against values computed by hand; tests/network/test_network.py checks the gradients of a network."""

from __future__ import annotations

import math

import numpy as np

from recurra.network.cells import lstm

LN3 = math.log(3)
# sigmoid(ln 3) = 3/4, sigmoid(0) = 1/2, sigmoid(-ln 3) = 1/4, tanh((ln 3) / 2) = 1/2 and tanh(ln 3) = 4/5.
# H = D = T = B = 1, x = h_0 = 1: a is U + W + b.
# i = 3/4, f = 1/4, g = 4/5, o = 1/2        c_1 = 1/4 c_0 + 3/5 = (ln 3) / 2 for c_0 = 2 ln 3 - 12/5,  h_1 = 1/4
PARAMETERS = {
    "U": np.array([[LN3 - 2.0], [-LN3], [LN3 - 1.0], [1.0]]),
    "W": np.array([[1.0], [0.5], [0.25], [-3.0]]),
    "b": np.array([1.0, -0.5, 0.75, 2.0]),
}
X = np.ones((1, 1, 1))
C_0 = 2 * LN3 - 2.4
STATE = lstm.State(h=np.ones((1, 1)), c=np.full((1, 1), C_0))


def test_forward_by_hand() -> None:
    h, final, _ = lstm.forward(PARAMETERS, X, STATE)
    np.testing.assert_allclose(h, [[[0.25]]], rtol=1e-14)
    np.testing.assert_allclose(final.h, [[0.25]], rtol=1e-14)
    np.testing.assert_allclose(final.c, [[LN3 / 2]], rtol=1e-14)


def test_backward_by_hand() -> None:
    """dh_1 = 8: 6 from the layer above and 2 from later time steps; dc_1 receives 5 from later time steps.

    The expected gradients:

        dh = 8                                  dc = 8 * 1/2 * (1 - 1/4) + 5 = 8
        da_i = 8 * 4/5 * 3/4 * 1/4 = 6/5        da_f = 8 * c_0 * 1/4 * 3/4 = 3/2 c_0
        da_g = 8 * 3/4 * (1 - 16/25) = 54/25    da_o = 8 * 1/2 * 1/2 * 1/2 = 1
        dh_0 = W^T da, dx = U^T da              dc_0 = 8 * 1/4 = 2
    """
    _, _, cache = lstm.forward(PARAMETERS, X, STATE)
    dstate = lstm.State(h=np.full((1, 1), 2.0), c=np.full((1, 1), 5.0))
    gradients, dx, dstate0 = lstm.backward(PARAMETERS, cache, np.full((1, 1, 1), 6.0), dstate)
    da = np.array([1.2, 1.5 * C_0, 2.16, 1.0])
    np.testing.assert_allclose(gradients["b"], da, rtol=1e-13)
    np.testing.assert_allclose(gradients["U"][:, 0], da, rtol=1e-13)
    np.testing.assert_allclose(gradients["W"][:, 0], da, rtol=1e-13)
    np.testing.assert_allclose(dstate0.h, [[da @ PARAMETERS["W"][:, 0]]], rtol=1e-13)
    np.testing.assert_allclose(dx, [[[da @ PARAMETERS["U"][:, 0]]]], rtol=1e-13)
    np.testing.assert_allclose(dstate0.c, [[2.0]], rtol=1e-13)


def test_shapes() -> None:
    assert lstm.shapes(5, 3) == {"U": (12, 5), "W": (12, 3), "b": (12,)}
    assert lstm.GATES == ("i", "f", "g", "o")


def test_open_forget_gate_keeps_the_cell_state() -> None:
    """With f = 1, i = 0 and o = 1, c stays the same and h = tanh(c)."""
    gates = np.repeat([-100.0, 100.0, 0.0, 100.0], 2)
    parameters = {"U": np.zeros((8, 3)), "W": np.zeros((8, 2)), "b": gates}
    c = np.array([[0.3, -2.0]])
    h, final, _ = lstm.forward(parameters, np.ones((50, 1, 3)), lstm.State(h=np.zeros((1, 2)), c=c))
    np.testing.assert_allclose(final.c, c, rtol=1e-14)
    np.testing.assert_allclose(h[-1], np.tanh(c), rtol=1e-14)


def test_arguments_are_not_changed() -> None:
    _, _, cache = lstm.forward(PARAMETERS, X, STATE)
    before = [array.copy() for array in (X, *STATE, *PARAMETERS.values())]
    dh = np.ones((1, 1, 1))
    lstm.backward(PARAMETERS, cache, dh, STATE)
    assert all(map(np.array_equal, before, (X, *STATE, *PARAMETERS.values())))
    assert dh.tolist() == [[[1]]]

"""The minGRU, against values computed by hand; tests/network/test_network.py checks the gradients of a network."""

from __future__ import annotations

import math

import numpy as np

from recurra.network.cells import mingru
from recurra.network.cells.elman import State

LN3 = math.log(3)
# sigmoid(ln 3) = 3/4 and sigmoid(-ln 3) = 1/4. H = D = B = 1, T = 2, x = 1 and 2, h_0 = 4: u is U x + b.
# z_1 = 3/4, n_1 = 2, h_1 = 1/4 * 4 + 3/4 * 2 = 5/2        z_2 = 1/4, n_2 = 5, h_2 = 3/4 * 5/2 + 1/4 * 5 = 25/8
PARAMETERS = {"U": np.array([[-2 * LN3], [3.0]]), "b": np.array([3 * LN3, -1.0])}
X = np.array([[[1.0]], [[2.0]]])
STATE = State(h=np.full((1, 1), 4.0))


def test_forward_by_hand() -> None:
    h, final, _ = mingru.forward(PARAMETERS, X, STATE)
    np.testing.assert_allclose(h.ravel(), [2.5, 3.125], rtol=1e-14)
    np.testing.assert_allclose(final.h, [[3.125]], rtol=1e-14)


def test_backward_by_hand() -> None:
    """From the layer above dh_1 = 1 and dh_2 = 6; from later time steps 2 for h_2.

    The expected gradients:

        step 2: dh = 8    du_z = 8 * (5 - 5/2) * 1/4 * 3/4 = 15/4    du_n = 8 * 1/4 = 2         8 * 3/4 = 6 to step 1
        step 1: dh = 7    du_z = 7 * (2 - 4) * 3/4 * 1/4 = -21/8     du_n = 7 * 3/4 = 21/4      7 * 1/4 = 7/4 = dh_0
    """
    _, _, cache = mingru.forward(PARAMETERS, X, STATE)
    dstate = State(h=np.full((1, 1), 2.0))
    gradients, dx, dstate0 = mingru.backward(PARAMETERS, cache, np.array([[[1.0]], [[6.0]]]), dstate)
    du = np.array([[-2.625, 5.25], [3.75, 2.0]])
    np.testing.assert_allclose(gradients["b"], du.sum(axis=0), rtol=1e-13)
    np.testing.assert_allclose(gradients["U"][:, 0], du[0] + 2 * du[1], rtol=1e-13)
    np.testing.assert_allclose(dx[:, 0, 0], du @ PARAMETERS["U"][:, 0], rtol=1e-13)
    np.testing.assert_allclose(dstate0.h, [[1.75]], rtol=1e-13)


def test_shapes() -> None:
    assert mingru.shapes(5, 3) == {"U": (6, 5), "b": (6,)}
    assert mingru.SPEC.gates == ("z", "n")


def test_update_gate_keeps_or_replaces_the_hidden_state() -> None:
    for bias, expected in ((-100.0, 4.0), (100.0, -1.0)):
        parameters = {"U": np.zeros((2, 3)), "b": np.array([bias, -1.0])}
        h, _, _ = mingru.forward(parameters, np.ones((50, 1, 3)), STATE)
        np.testing.assert_allclose(h[-1], expected, rtol=1e-14)


def test_hidden_state_is_a_weighted_mean_of_candidates() -> None:
    random = np.random.default_rng(0)
    parameters = {name: random.normal(size=shape) for name, shape in mingru.shapes(5, 3).items()}
    h, _, cache = mingru.forward(parameters, random.normal(size=(6, 2, 5)), State(h=random.normal(size=(2, 3))))
    for t in range(6):
        kept = np.stack([np.prod(1 - cache.z[s + 1 : t + 1], axis=0) * cache.z[s] for s in range(t + 1)])
        of_start = np.prod(1 - cache.z[: t + 1], axis=0)
        np.testing.assert_allclose(kept.sum(axis=0) + of_start, 1, rtol=1e-13)
        np.testing.assert_allclose((kept * cache.n[: t + 1]).sum(axis=0) + of_start * cache.h0, h[t], rtol=1e-12)


def test_arguments_are_not_changed() -> None:
    _, _, cache = mingru.forward(PARAMETERS, X, STATE)
    before = [array.copy() for array in (X, *STATE, *PARAMETERS.values())]
    dh = np.ones((2, 1, 1))
    mingru.backward(PARAMETERS, cache, dh, STATE)
    assert all(map(np.array_equal, before, (X, *STATE, *PARAMETERS.values())))
    assert dh.ravel().tolist() == [1, 1]

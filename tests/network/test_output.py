"""The output layer: projection, softmax and cross-entropy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.network import output


def test_by_hand() -> None:
    """o = (ln 3, 0) gives p = (3/4, 1/4); for y = 1 the loss is ln 4 and g = p - y = (3/4, -3/4)."""
    parameters = {"V": np.array([[2.0], [4.0]]), "c": np.array([math.log(3) - 1, -2.0])}
    h = np.array([[[0.5]]])
    targets = np.array([[1]])
    log_p = output.forward(parameters, h)
    np.testing.assert_allclose(np.exp(log_p), [[[0.75, 0.25]]], rtol=1e-15)
    np.testing.assert_allclose(output.losses(log_p, targets), [[math.log(4)]], rtol=1e-15)
    gradients, dh = output.backward(parameters, h, log_p, targets)
    np.testing.assert_allclose(gradients["c"], [0.75, -0.75], rtol=1e-14)
    np.testing.assert_allclose(gradients["V"], [[0.375], [-0.375]], rtol=1e-14)  # g h^T
    np.testing.assert_allclose(dh, [[[-1.5]]], rtol=1e-14)  # V^T g = 2 * 3/4 - 4 * 3/4


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1000))
def test_probabilities_sum_to_one(seed: int, scale: float) -> None:
    random = np.random.default_rng(seed)
    parameters = {"V": scale * random.standard_normal((7, 3)), "c": random.standard_normal(7)}
    p = np.exp(output.forward(parameters, random.uniform(-1, 1, (4, 2, 3))))
    np.testing.assert_allclose(p.sum(axis=-1), np.ones((4, 2)), rtol=1e-12)


def test_large_logits_do_not_overflow() -> None:
    parameters = {"V": np.array([[1e4], [0.0]]), "c": np.zeros(2)}
    assert output.forward(parameters, np.ones((1, 1, 1))).tolist() == [[[0.0, -1e4]]]


def test_losses_are_minus_log_p_of_the_targets() -> None:
    log_p = -np.arange(24.0).reshape(3, 2, 4)
    targets = np.array([[0, 1], [2, 3], [3, 0]], dtype=np.uint8)
    assert output.losses(log_p, targets).tolist() == [[0, 5], [10, 15], [19, 20]]


def test_targets_broadcast_over_copies() -> None:
    log_p = -np.arange(6.0).reshape(1, 3, 2)
    assert output.losses(log_p, np.array([[1]])).tolist() == [[1, 3, 5]]


def test_complex_step_gives_the_derivative() -> None:
    """The complex step gives d log p_0 / d c_0 = 1 - p_0."""
    parameters = {"V": np.zeros((2, 1)), "c": np.array([math.log(3) + 1e-30j, 0])}
    log_p = output.forward(parameters, np.ones((1, 1, 1)))
    assert log_p[0, 0, 0].imag / 1e-30 == pytest.approx(0.25, rel=1e-14)

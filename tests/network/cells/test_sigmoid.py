"""The logistic function."""

from __future__ import annotations

import math

import numpy as np

from recurra.network.cells.sigmoid import sigmoid


def test_values() -> None:
    np.testing.assert_allclose(sigmoid(np.array([0.0, math.log(3), -math.log(3)])), [0.5, 0.75, 0.25], rtol=1e-15)


def test_large_arguments_do_not_overflow() -> None:
    assert sigmoid(np.array([-1e30, 1e30])).tolist() == [0, 1]


def test_complex_step_gives_the_derivative() -> None:
    a = np.linspace(-4, 4, 9)
    s = sigmoid(a + 1e-30j)
    np.testing.assert_allclose(s.imag / 1e-30, s.real * (1 - s.real), rtol=1e-13)


def test_float32_stays_float32() -> None:
    assert sigmoid(np.zeros(1, np.float32)).dtype == np.float32

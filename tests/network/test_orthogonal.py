"""Random orthogonal matrices."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest

from recurra.network.orthogonal import orthogonal
from recurra.system.random_streams import stream


@pytest.mark.parametrize("n", [1, 2, 3, 10, 65])
def test_columns_are_orthonormal(n: int) -> None:
    numbers = stream(n, "Q")
    Q = orthogonal(n, numbers)
    np.testing.assert_allclose(Q.T @ Q, np.eye(n), atol=1e-14)
    np.testing.assert_allclose(Q @ Q.T, np.eye(n), atol=1e-14)
    assert numbers.words(1) == stream(n, "Q", counter=n * (n + 1) // 2).words(1)


def test_distribution_has_no_preferred_direction() -> None:
    """Every element of 4,000 matrices has mean 0 and variance 1/n, and half of the determinants are -1."""
    numbers = stream(0, "Q")
    many = np.stack([orthogonal(3, numbers) for _ in range(4000)])
    assert np.abs(many.mean(axis=0)).max() < 4 / math.sqrt(3 * 4000)
    np.testing.assert_allclose(many.var(axis=0), np.full((3, 3), 1 / 3), atol=0.02)
    assert np.mean(np.linalg.det(many) < 0) == pytest.approx(0.5, abs=0.03)
    assert abs(np.mean(np.trace(many, axis1=1, axis2=2) ** 2) - 1) < 0.1  # E[(tr Q)^2] = 1 under Haar measure


def test_matrix_has_the_same_bits_everywhere() -> None:
    Q = orthogonal(20, stream(0, "Q"))
    golden = "47655164b2e6e82d2e23b7e21a5031488b1c28edd01b85583e3f6f033b646420"
    assert hashlib.sha256(Q.astype("<f8").tobytes()).hexdigest() == golden


def test_matrix_equals_the_documented_reflection() -> None:
    """Compute Q_2 by the formula of the docstring, with the reflection as a matrix."""
    numbers = stream(5, "Q")
    inner = np.sign(numbers.normal(1)[0])
    x = numbers.normal(2)
    s = -np.sign(x[0])
    v = x - s * np.linalg.norm(x) * np.eye(2)[0]
    expected = (np.eye(2) - 2 * np.outer(v, v) / (v @ v)) @ np.diag([s, inner])
    np.testing.assert_allclose(orthogonal(2, stream(5, "Q")), expected, atol=1e-15)
    np.testing.assert_allclose(expected[:, 0], x / np.linalg.norm(x), atol=1e-15)

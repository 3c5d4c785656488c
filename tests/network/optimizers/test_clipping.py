"""Clipping by value and by norm."""

from __future__ import annotations

import numpy as np
import pytest

from recurra.network.optimizers import clip_by_norm, clip_by_value, global_norm


def test_clipping_by_value() -> None:
    gradients = {"b": np.array([-7.0, -5.0, 0.5, 6.0], np.float32)}
    clipped = clip_by_value(gradients, 5.0)["b"]
    assert clipped.tolist() == [-5, -5, 0.5, 5]
    assert clipped.dtype == np.float32
    assert gradients["b"][0] == -7


def test_clipping_by_norm_keeps_the_direction() -> None:
    gradients = {"V": np.array([[3.0, 0.0]], np.float32), "c": np.array([4.0], np.float32)}
    clipped = clip_by_norm(gradients, 2.5)
    assert {name: array.tolist() for name, array in clipped.items()} == {"V": [[1.5, 0]], "c": [2]}
    assert {array.dtype for array in clipped.values()} == {np.dtype(np.float32)}
    assert gradients["c"][0] == 4


@pytest.mark.parametrize("limit", [5.0, 100.0])
def test_gradients_within_the_limit_stay_the_same(limit: float) -> None:
    gradients = {"V": np.array([[3.0, 0.0]]), "c": np.array([4.0])}
    clipped = clip_by_norm(gradients, limit)
    assert all(clipped[name] is array for name, array in gradients.items())
    assert clipped is not gradients


def test_norm_covers_all_arrays() -> None:
    gradients = {"V": np.array([[3.0, 0.0]], np.float32), "c": np.array([4.0], np.float32)}
    assert global_norm(gradients) == 5


def test_norm_of_large_float32_does_not_overflow() -> None:
    assert global_norm({"c": np.array([3e30, 4e30], np.float32)}) == pytest.approx(5e30, rel=1e-6)

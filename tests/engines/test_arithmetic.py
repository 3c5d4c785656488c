"""exp, tanh, log and the inverse root against float64 NumPy, over their whole ranges."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from recurra.engines.kernels import arithmetic
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import load, store


@strict
def evaluate(which: int, x: NDArray[Any], y: NDArray[Any]) -> None:
    for column in range(0, x.shape[1], 8):
        v = load(x, 0, column, (0,))
        if which == 0:
            store(y, 0, column, arithmetic.exp(v))
        elif which == 1:
            store(y, 0, column, arithmetic.tanh(v))
        elif which == 2:
            store(y, 0, column, arithmetic.log(v))
        else:
            store(y, 0, column, arithmetic.inverse_root(v))


CASES: dict[str, tuple[int, Any, NDArray[np.float64]]] = {
    "exp": (0, np.exp, np.linspace(-86.9, 87.9, 1 << 18)),
    "tanh": (1, np.tanh, np.concatenate([np.linspace(-12, 12, 1 << 18), np.geomspace(1e-30, 1, 1 << 14)])),
    "log": (2, np.log, np.concatenate([np.geomspace(1e-37, 1e38, 1 << 18), np.linspace(0.9, 1.1, 1 << 14)])),
    "inverse root": (3, lambda x: 1 / np.sqrt(x), np.geomspace(1.2e-38, 3e38, 1 << 18)),
}


def compute(which: int, x: ArrayLike) -> NDArray[np.float32]:
    x = np.asarray(x, np.float32).reshape(1, -1)
    y = np.zeros_like(x)
    evaluate(which, x, y)
    return y[0]


@pytest.mark.parametrize("name", CASES)
def test_error_is_below_three_units_in_the_last_place(name: str) -> None:
    which, exact, points = CASES[name]
    points = points.astype(np.float32)
    expected = exact(points.astype(np.float64))
    units = np.abs(compute(which, points) - expected) / np.spacing(np.abs(expected).astype(np.float32))
    assert units.max() < 3


def test_exp_is_zero_below_and_bounded_above() -> None:
    y = compute(0, [-87.1, -1e30, -np.inf, 1000, np.inf, 0] + [0] * 10)
    assert y[:3].tolist() == [0, 0, 0]
    assert np.isfinite(y[3:5]).all()
    assert y[5] == 1


def test_tanh_is_bounded_and_keeps_the_sign_of_zero() -> None:
    y = compute(1, [100, np.inf, -np.inf, 0] + [0] * 12)
    assert y[:4].tolist() == [1, 1, -1, 0]


@pytest.mark.parametrize("which", range(4))
def test_nan_gives_nan(which: int) -> None:
    assert np.isnan(compute(which, [np.nan] * 16)).all()

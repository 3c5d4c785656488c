"""The vector operations: NumPy and machine code give the same bits."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from recurra.engines.kernels import arithmetic
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import (
    aligned_zeros,
    clamp,
    exponent,
    fill,
    lane_max,
    lane_sum,
    load,
    mantissa,
    multiply_add,
    power_of_two,
    square_root,
    store,
    transpose,
    zero_below,
)

THREE_GROUPS = (0, 0, 0)  # a register of 16 lanes and one of 8
floats = st.lists(
    st.floats(width=32, allow_nan=False, min_value=-(2.0**60), max_value=2.0**60), min_size=24, max_size=24
)


def python(kernel: Any) -> Any:
    """Return the Python function of a compiled kernel."""
    return kernel.py_func


@strict
def apply(which: int, source: NDArray[Any], target: NDArray[Any], tile: tuple[int, ...]) -> None:
    x, y = load(source, 0, 0, tile), load(source, 1, 0, tile)
    if which == 0:
        store(target, 0, 0, x + y * x - y)
    elif which == 1:
        store(target, 0, 0, x / y)
    elif which == 2:
        store(target, 0, 0, square_root(x))
    elif which == 3:
        store(target, 0, 0, clamp(x, np.float32(-5), np.float32(5)))
    elif which == 4:
        store(target, 0, 0, zero_below(x, y, np.float32(1)))
    elif which == 5:
        store(target, 0, 0, fill(lane_sum(x), tile))
    elif which == 6:
        store(target, 0, 0, fill(lane_max(x), tile))
    elif which == 7:
        store(target, 0, 0, np.float32(2) * x)
    elif which == 8:
        store(target, 0, 0, mantissa(x))
    elif which == 9:
        store(target, 0, 0, exponent(x))
    elif which == 10:
        store(target, 0, 0, multiply_add(x, y, load(source, 2, 0, tile)))
    elif which == 11:
        store(target, 0, 0, multiply_add(np.float32(-1.7), y, np.float32(0.3)))


def both_ways(which: int, rows: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    source = np.array(rows, np.float32)
    compiled, interpreted = np.zeros((1, 24), np.float32), np.zeros((1, 24), np.float32)
    apply(which, source, compiled, THREE_GROUPS)
    with np.errstate(all="ignore"):
        python(apply)(which, source, interpreted, THREE_GROUPS)
    return compiled, interpreted


@pytest.mark.parametrize("which", range(8))
@given(x=floats, y=floats)
def test_compiled_and_numpy_agree_to_the_last_bit(which: int, x: list[float], y: list[float]) -> None:
    compiled, interpreted = both_ways(which, [x, y])
    assert np.array_equal(compiled, interpreted, equal_nan=True)


@given(x=st.lists(st.floats(width=32, min_value=2.0**-100, max_value=2.0**100), min_size=24, max_size=24))
def test_mantissa_and_exponent_give_the_number(x: list[float]) -> None:
    (m, m2), (e, e2) = both_ways(8, [x, x]), both_ways(9, [x, x])
    assert np.array_equal(m, m2)
    assert np.array_equal(e, e2)
    assert np.array_equal(np.ldexp(m, e.astype(int)), np.array([x], np.float32))
    assert ((m >= np.float32(0.70710677)) & (m < np.float32(1.4142136))).all()


def test_nan_passes_through_clamp_and_zero_below() -> None:
    rows = np.full((2, 24), np.nan, np.float32)
    for which in (3, 4):
        compiled, interpreted = both_ways(which, rows)
        assert np.isnan(compiled).all()
        assert np.isnan(interpreted).all()


def test_order_of_a_lane_sum() -> None:
    x = np.arange(24, dtype=np.float32) ** 7 + 1
    groups = x[:8] + x[8:16] + x[16:]
    for half in (4, 2, 1):
        groups = groups[:half] + groups[half : 2 * half]
    assert lane_sum(x) == groups[0]


@strict
def transpose_all(source: NDArray[Any], target: NDArray[Any]) -> None:
    for row in range(0, source.shape[0], 8):
        for column in range(0, source.shape[1], 8):
            transpose(source, row, column, target, column, row)


def test_transpose() -> None:
    source = np.arange(32 * 40, dtype=np.float32).reshape(32, 40)
    for run in (transpose_all, python(transpose_all)):
        target = np.zeros((40, 32), np.float32)
        run(source, target)
        assert np.array_equal(target, source.T)


def test_arrays_start_at_a_cache_line() -> None:
    for width in (8, 16, 24, 104):
        array = aligned_zeros(5, width)
        assert array.shape == (5, width)
        assert all(row.ctypes.data % 64 == 0 for row in array)


def test_power_of_two_reads_the_shifted_number() -> None:
    n = np.arange(-126, 128)
    shifted = n.astype(np.float32) + arithmetic.SHIFT
    assert np.array_equal(power_of_two(shifted), np.ldexp(np.float32(1), n))

"""`multiply_add` rounds once: as an instruction, in float64 for processors without it, and in NumPy."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recurra.engines.kernels import lanes, lowering, processor
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import load, multiply_add, store

Array = NDArray[np.float32]
TILE = (0, 0, 0)  # a register of 16 lanes and one of 8
COUNT = 24


def in_float64(x: Array, y: Array, z: Array) -> Array:
    """The name under which the code in float64 is compiled."""
    raise NotImplementedError


lowering.partwise(in_float64, lowering.emit_multiply_add_in_float64)


@strict
def compute(operands: Array, target: Array, with_float64: bool) -> None:
    for row in range(0, operands.shape[0], 3):
        x, y, z = load(operands, row, 0, TILE), load(operands, row + 1, 0, TILE), load(operands, row + 2, 0, TILE)
        if with_float64:
            store(target, row // 3, 0, in_float64(x, y, z))
        else:
            store(target, row // 3, 0, multiply_add(x, y, z))


def results(operands: Array, *, with_float64: bool) -> Array:
    """Return the result of each group of three rows, (n / 3, 24)."""
    target = np.zeros((len(operands) // 3, COUNT), np.float32)
    compute(operands, target, with_float64)
    return target


def in_numpy(operands: Array) -> Array:
    return multiply_add(operands[0::3], operands[1::3], operands[2::3])


def assert_equal_bits(actual: Array, expected: Array) -> None:
    same = (actual.view(np.int32) == expected.view(np.int32)) | (np.isnan(actual) & np.isnan(expected))
    assert same.all()


def random_floats(kind: str, n: int) -> Array:
    """Return n rows of x, y and z of a kind that rounds in a special way."""
    generator = np.random.default_rng(sum(map(ord, kind)))
    bits = generator.integers(0, 1 << 32, (3 * n, COUNT), np.uint32)
    if kind == "all floats":
        return bits.view(np.float32)
    ones = (bits & 0x007FFFFF | 0x3F800000).view(np.float32) * np.where(bits >> 31, -1, 1).astype(np.float32)
    if kind == "sums that cancel":
        ones[2::3] = -(ones[0::3] * ones[1::3])
    if kind == "halfway":  # the product is almost half a unit in the last place of z
        step = generator.integers(1, 9, (n, COUNT)).astype(np.float32) * np.float32(2.0**-23)
        ones[0::3], ones[1::3] = 1 + step, (1 - step) * np.sign(ones[1::3]) * np.float32(2.0**-24)
    if kind == "subnormal":
        ones[0::3] *= np.float32(2.0**-80)
        ones[1::3] *= np.exp2(generator.integers(-75, -40, (n, COUNT))).astype(np.float32)
        ones[2::3] *= np.exp2(generator.integers(-148, -120, (n, COUNT))).astype(np.float32)
    if kind == "small against large":
        ones[2::3] *= np.exp2(generator.integers(20, 60, (n, COUNT))).astype(np.float32)
    return ones


KINDS = ["all floats", "sums that cancel", "halfway", "subnormal", "small against large"]


@pytest.mark.parametrize("kind", KINDS)
def test_three_forms_have_the_same_bits(kind: str) -> None:
    operands = random_floats(kind, 20_000)
    expected = in_numpy(operands)
    assert_equal_bits(results(operands, with_float64=False), expected)
    assert_equal_bits(results(operands, with_float64=True), expected)


def test_halfway_needs_the_error_of_the_sum() -> None:
    """Rounding the float64 sum a second time would be wrong for some of these operands."""
    operands = random_floats("halfway", 20_000)
    rounded_twice = (operands[0::3].astype(np.float64) * operands[1::3] + operands[2::3]).astype(np.float32)
    assert (rounded_twice != in_numpy(operands)).any()


def rounded(value: Fraction) -> float:
    """Return the nearest float32, ties to even; `value` is not 0 and in the range of float32."""
    exponent = max(np.floor(np.log2(float(abs(value)))) - 23, -149)
    while abs(value) >= Fraction(2) ** int(exponent + 24):
        exponent += 1
    unit = Fraction(2) ** int(exponent)
    return float(round(value / unit) * unit)


floats = st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**60), max_value=2.0**60)


@given(x=floats, y=floats, z=floats)
def test_result_is_the_exact_value_rounded_once(x: float, y: float, z: float) -> None:
    exact = Fraction(x) * Fraction(y) + Fraction(z)
    a, b, c = (np.full(COUNT, value, np.float32) for value in (x, y, z))
    actual = multiply_add(a, b, c)[0]
    expected = rounded(exact) if exact else 0.0
    assert float(actual) == expected


@pytest.mark.parametrize(
    ("x", "y", "z"),
    [
        (np.inf, 0, 1),
        (np.inf, 1, -np.inf),
        (np.nan, 1, 1),
        (np.inf, 2, 1),
        (3e38, 3e38, 0),
        (3e38, -3e38, 1),
        (0, 1, -0.0),
    ],
)
def test_infinities_and_nan(x: float, y: float, z: float) -> None:
    operands = np.repeat(np.array([[x], [y], [z]], np.float32), COUNT, axis=1)
    with np.errstate(all="ignore"):
        expected = operands[0] * operands[1] + operands[2]
    for actual in (in_numpy(operands), results(operands, with_float64=False), results(operands, with_float64=True)):
        assert_equal_bits(actual.reshape(COUNT), expected)


def test_processor_is_known() -> None:
    blocks = processor.choose_blocks()
    assert len(blocks.rows) <= 8
    assert len(blocks.rows) * len(blocks.panels) <= 16


@strict
def sums(target: Array, left: Array, right: Array, add: bool) -> None:
    lanes.add_products(target, 1, 16, left, 2, right, 3, 7, 5, add, (0, 0, 0), (0, 0))


@pytest.mark.parametrize("add", [False, True])
def test_block_of_sums(add: bool) -> None:
    generator = np.random.default_rng(1)
    left, right, begin = (generator.normal(size=shape).astype(np.float32) for shape in ((5, 6), (15, 16), (5, 48)))
    expected = begin.copy()
    for i in range(3):
        for p in range(2):
            total = begin[1 + i, 16 + 16 * p : 32 + 16 * p] if add else np.zeros(16, np.float32)
            for k in range(5):
                total = multiply_add(np.full(16, left[k, 2 + i]), right[3 + 7 * p + k], total)
            expected[1 + i, 16 + 16 * p : 32 + 16 * p] = total
    run: Any = sums
    for function in (sums, run.py_func):
        target = begin.copy()
        function(target, left, right, add)
        assert np.array_equal(target, expected)

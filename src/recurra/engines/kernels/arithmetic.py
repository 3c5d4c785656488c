"""exp, tanh and log in float32 from polynomials, on vectors of lanes; the error is at most 3 units in the last place.

exp and tanh share one core: x = n ln 2 + r with |r| <= ln 2 / 2, then e^x - 1 = 2^n (e^r - 1) + (2^n - 1). The Taylor
series of e^r - 1 stops at r^7; the next term is below 2e-8 of the sum. ln 2 is subtracted in two parts after Cody and
Waite (Software Manual for the Elementary Functions, 1980): the first part has nine bits, so that n times it is exact.
NaN gives NaN in every function. Every constant is a float32, since Numba makes float32 times a Python float a float64.
"""

from __future__ import annotations

import math

import numpy as np

from recurra.engines.kernels import lowering  # noqa: F401 - teaches Numba the operations
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import (
    Vector,
    clamp,
    exponent,
    inverse_root_guess,
    mantissa,
    multiply_add,
    power_of_two,
    zero_below,
)

ZERO, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)
HALF, MINUS_HALF = np.float32(0.5), np.float32(-0.5)
LOG2_E = np.float32(1 / math.log(2))
LN2_HIGH = np.float32(355 / 512)
LN2_LOW = np.float32(math.log(2) - 355 / 512)
SHIFT = np.float32(1.5 * 2**23)  # x + SHIFT - SHIFT rounds x to a whole number, ties to even
T2, T3, T4, T5, T6, T7 = (np.float32(1 / math.factorial(k)) for k in range(2, 8))
A3, A5, A7, A9 = (np.float32(1 / k) for k in (3, 5, 7, 9))
EXP_LOWEST, EXP_HIGHEST = np.float32(-87), np.float32(88)
TANH_LOWEST, TANH_HIGHEST = np.float32(-18.1), np.float32(18.1)  # bounds of 2x: tanh x rounds to 1 for x >= 9.02


@strict
def _exp_minus_one_over_scale(r: Vector) -> Vector:
    """Return e^r - 1 for |r| <= ln 2 / 2."""
    series = multiply_add(r, multiply_add(r, multiply_add(T7, r, T6), T5), T4)
    series = multiply_add(r, multiply_add(r, series, T3), T2)
    return multiply_add(r * r, series, r)


@strict
def exp(x: Vector) -> Vector:
    """Return e^x, with 0 for x below -87 and e^88 for x above 88.

    Args:
        x: a vector.
    Returns: a vector of the same width.
    """
    bounded = clamp(x, EXP_LOWEST, EXP_HIGHEST)
    shifted = multiply_add(LOG2_E, bounded, SHIFT)
    n = shifted - SHIFT
    r = multiply_add(-LN2_LOW, n, multiply_add(-LN2_HIGH, n, bounded))
    scale = power_of_two(shifted)
    return zero_below(multiply_add(scale, _exp_minus_one_over_scale(r), scale), x, EXP_LOWEST)


@strict
def tanh(x: Vector) -> Vector:
    """Return tanh x = E / (E + 2) with E = e^2x - 1. This form keeps full precision near 0.

    Args:
        x: a vector.
    Returns: a vector of the same width.
    """
    bounded = clamp(x + x, TANH_LOWEST, TANH_HIGHEST)
    shifted = multiply_add(LOG2_E, bounded, SHIFT)
    n = shifted - SHIFT
    r = multiply_add(-LN2_LOW, n, multiply_add(-LN2_HIGH, n, bounded))
    scale = power_of_two(shifted)
    e = multiply_add(scale, _exp_minus_one_over_scale(r), scale - ONE)
    return e / (e + TWO)


@strict
def sigmoid(x: Vector) -> Vector:
    """Return the logistic function 1 / (1 + e^-x).

    Args:
        x: a vector.
    Returns: a vector of the same width.
    """
    result: Vector = ONE / (ONE + exp(ZERO - x))
    return result


@strict
def log(x: Vector) -> Vector:
    """Return the natural logarithm.

    With x = m 2^e, √½ <= m < √2 and z = (m - 1) / (m + 1):  ln x = e ln 2 + 2 artanh z.

    Args:
        x: a vector of positive normal numbers.
    Returns: a vector of the same width.
    """
    m, e = mantissa(x), exponent(x)
    z = (m - ONE) / (m + ONE)
    square = z * z
    series = multiply_add(square, multiply_add(square, multiply_add(A9, square, A7), A5), A3)
    series = multiply_add(z * square, series, z)
    not_finite = x - x  # NaN if x is NaN or infinite: `mantissa` and `exponent` read such an x as a number
    logarithm: Vector = multiply_add(LN2_HIGH, e, multiply_add(LN2_LOW, e, series + series)) + not_finite
    return logarithm


@strict
def inverse_root(x: Vector) -> Vector:
    """Return 1 / √x, from a guess and three steps of Newton's method y += y (½ - ½ x y²).

    The instructions for a root and a division would take several times as long.

    Args:
        x: a vector of positive normal numbers.
    Returns: a vector of the same width.
    """
    half = MINUS_HALF * x
    y = inverse_root_guess(x)
    y = multiply_add(y, multiply_add(half * y, y, HALF), y)
    y = multiply_add(y, multiply_add(half * y, y, HALF), y)
    return multiply_add(y, multiply_add(half * y, y, HALF), y)

"""Vectors of float32 held in registers, in multiples of 8 lanes. All other kernels are written with them.

A `tile` is a tuple with one entry for each 8 lanes. Its length, a constant when a kernel is compiled, is the width of
the vectors that the kernel loads. This module defines each operation in NumPy; that definition runs if the JIT is off.
`lowering` has the same operations as LLVM instructions. All of them are exactly rounded IEEE operations or moves of
bits, so both give the same bits.

+ - * / between vectors, or between a vector and a float32, are Python's operators. Each operator rounds, so that
`x * y + z` rounds twice. Matrix products and polynomials use `multiply_add`, which rounds once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

WIDTH = 8
ROOT_HALF_BITS = 0x3F3504F3  # the bits of √½ as float32
INVERSE_ROOT_BITS = 0x5F375A86  # minus half the bits of x, about the bits of 1 / √x
Vector: TypeAlias = NDArray[Any]  # float32; ids are integers
Tile: TypeAlias = tuple[int, ...]


def aligned_zeros(rows: int, width: int) -> Vector:
    """Return zeros whose every row begins at a multiple of 64 bytes, so that no load crosses a cache line.

    Args:
        rows: number of rows.
        width: number of columns.
    Returns: (rows, width), a view of a larger buffer.
    """
    stride = -(-width // 16) * 16
    buffer = np.zeros(rows * stride * 4 + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + rows * stride * 4].view(np.float32).reshape(rows, stride)[:, :width]


def load(array: Vector, row: int, column: int, tile: Tile) -> Vector:
    """Return `array[row, column:]` as a vector.

    Args:
        array: (., .), a matrix.
        row: index of the row.
        column: index of the first column.
        tile: width of the vector.
    Returns: a vector of 8 len(tile) lanes.
    """
    return array[row, column : column + WIDTH * len(tile)].copy()


def store(array: Vector, row: int, column: int, vector: Vector) -> None:
    """Write `vector` to `array[row, column:]`.

    Args:
        array: (., .), a matrix; written.
        row: index of the row.
        column: index of the first column.
        vector: the values.
    """
    array[row, column : column + len(vector)] = vector


def element(array: Vector, row: int, column: int) -> np.float32:
    """Return `array[row, column]`. Compiled code reads consecutive columns with a constant distance of 4 bytes.

    Args:
        array: (., .), a matrix whose rows are contiguous.
        row: index of the row.
        column: index of the column.
    Returns: the element, a float32.
    """
    value: np.float32 = array[row, column]
    return value


def fill(value: np.float32, tile: Tile) -> Vector:
    """Return a vector with `value` in each lane.

    Args:
        value: a float32.
        tile: width of the vector.
    Returns: a vector of 8 len(tile) lanes.
    """
    return np.full(WIDTH * len(tile), value, np.float32)


def transpose(source: Vector, row: int, column: int, target: Vector, to_row: int, to_column: int) -> None:
    """Transpose one block of 8 × 8: `target[to_row:, to_column:] = source[row:, column:].T`.

    Args:
        source: (., .), a matrix.
        row: first row of the block in `source`.
        column: first column of the block in `source`.
        target: (., .), another matrix; written.
        to_row: first row of the block in `target`.
        to_column: first column of the block in `target`.
    """
    block = source[row : row + WIDTH, column : column + WIDTH]
    target[to_row : to_row + WIDTH, to_column : to_column + WIDTH] = block.T


def square_root(vector: Vector) -> Vector:
    """Return the square root, exactly rounded.

    Args:
        vector: a vector.
    Returns: a vector of the same width.
    """
    result: Vector = np.sqrt(vector)
    return result


def multiply_add(x: Vector | np.float32, y: Vector, z: Vector | np.float32) -> Vector:
    """Return x y + z, rounded once: the fused multiply-add of IEEE 754.

    In float64 the product is exact. The sum is rounded to odd: toward zero, and then to an odd last bit if it is not
    exact. Rounding this sum to float32 gives the result of a single rounding.

    Args:
        x: a vector or a float32.
        y: a vector.
        z: a vector of the same width, or a float32.
    Returns: a vector of the same width.
    Source: S. Boldo, G. Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to
        odd", IEEE Transactions on Computers 57 (2008); D. Knuth's two-sum for the rounding error of the sum.
    """
    with np.errstate(all="ignore"):
        product = np.multiply(x, y, dtype=np.float64)
        total = product + z
        back = total - product
        rest = (product - (total - back)) + (z - back)  # the error of `total`
        odd = (total.view(np.int64) - (rest * total < 0)) | (np.abs(rest) > 0)
        result: Vector = odd.view(np.float64).astype(np.float32)
        return result


def add_products(
    target: Vector,
    row: int,
    column: int,
    left: Vector,
    first: int,
    right: Vector,
    start: int,
    stride: int,
    depth: int,
    add: bool,
    rows: Tile,
    panels: Tile,
) -> None:
    """Compute a block of a matrix product, with all its sums in registers and in ascending order of k.

        target[row + i, column + 16 p : + 16] (+)= sum over k < depth of left[k, first + i] right[start + p stride + k]

    for i < len(rows), p < len(panels).

    Args:
        target: (., .), a matrix; written.
        row: first row of the block in `target`.
        column: first column of the block in `target`.
        left: (>= depth, .), coefficients.
        first: first column in `left`.
        right: (., 16), the panels.
        start: row of `right` with k = 0 of the first panel.
        stride: rows from one panel to the next.
        depth: number of terms of each sum.
        add: True to add to `target`, False to overwrite it.
        rows: a tuple with one entry for each row.
        panels: a tuple with one entry for each panel.
    """
    width = 2 * WIDTH
    block = target[row : row + len(rows), column : column + width * len(panels)]
    begins = [start + p * stride for p in range(len(panels))]
    total = block.copy() if add else np.zeros_like(block)
    for k in range(depth):
        vector = np.concatenate([right[begin + k, :width] for begin in begins])
        total = multiply_add(left[k, first : first + len(rows), None], vector, total)
    block[...] = total


def clamp(vector: Vector, low: np.float32, high: np.float32) -> Vector:
    """Return `min(max(vector, low), high)`; NaN stays NaN.

    Args:
        vector: a vector.
        low: the least value, a float32.
        high: the greatest value, a float32.
    Returns: a vector of the same width.
    """
    return np.where(vector > high, high, np.where(vector < low, low, vector))


def zero_below(vector: Vector, control: Vector, bound: np.float32) -> Vector:
    """Return 0 in each lane in which `control` is below `bound`, and `vector` in the others.

    Args:
        vector: a vector.
        control: a vector of the same width; a lane with NaN selects `vector`.
        bound: a float32.
    Returns: a vector of the same width.
    """
    return np.where(control < bound, np.float32(0), vector)


def power_of_two(shifted: Vector) -> Vector:
    """Return 2^n.

    Args:
        shifted: a vector of n + 1.5 · 2^23 with whole n, -126 <= n <= 127; its low mantissa bits are the integer n.
    Returns: a vector of the same width.
    """
    return ((shifted.view(np.int32) + np.int32(127)) << np.int32(23)).view(np.float32)


def mantissa(vector: Vector) -> Vector:
    """Return m of x = m 2^e with √½ <= m < √2.

    Args:
        vector: a vector x of positive normal numbers.
    Returns: a vector of the same width.
    """
    above = vector.view(np.int32) - np.int32(ROOT_HALF_BITS)
    return ((above & np.int32(0x7FFFFF)) + np.int32(ROOT_HALF_BITS)).view(np.float32)


def exponent(vector: Vector) -> Vector:
    """Return e of x = m 2^e with √½ <= m < √2, as float32.

    Args:
        vector: a vector x of positive normal numbers.
    Returns: a vector of the same width.
    """
    return ((vector.view(np.int32) - np.int32(ROOT_HALF_BITS)) >> np.int32(23)).astype(np.float32)


def inverse_root_guess(vector: Vector) -> Vector:
    """Return 1 / √x with a relative error of at most 3.5 %, from a linear function of the bits of x.

    Args:
        vector: a vector x of positive normal numbers.
    Returns: a vector of the same width.
    Source: C. Lomont, "Fast inverse square root" (2003), for the constant.
    """
    return (np.int32(INVERSE_ROOT_BITS) - (vector.view(np.int32) >> np.int32(1))).view(np.float32)


def _fold(vector: Vector, combine: Callable[[Vector, Vector], Vector]) -> np.float32:
    result = vector[:WIDTH]
    for start in range(WIDTH, len(vector), WIDTH):
        result = combine(result, vector[start : start + WIDTH])
    half = WIDTH
    while half > 1:
        half //= 2
        result = combine(result[:half], result[half:])
    return np.float32(result[0])


def lane_sum(vector: Vector) -> np.float32:
    """Return the sum of the lanes. Groups of 8 lanes are added in order, then upper halves to lower halves.

    Args:
        vector: a vector.
    Returns: the sum, a float32.
    """
    return _fold(vector, np.add)


def lane_max(vector: Vector) -> np.float32:
    """Return the largest lane, found in the order of `lane_sum`.

    Args:
        vector: a vector.
    Returns: the largest value, a float32.
    """
    return _fold(vector, lambda x, y: np.where(x > y, x, y))

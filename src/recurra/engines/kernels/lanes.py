"""Vectors of float32 held in registers, in multiples of 8 lanes: what the kernels are written in.

A `tile` is a tuple with one entry for each 8 lanes; its length, known when a kernel is compiled, is the width of the
vectors it loads. What stands here is the meaning of each operation in NumPy, which is what runs when the JIT is off;
`lowering` has the same operations as LLVM instructions. All are exactly rounded IEEE operations or moves of bits, so
both give the same bits.

+ - * / between vectors, or a vector and a float32, are those of Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

WIDTH = 8
ROOT_HALF_BITS = 0x3F3504F3  # of float32 √½
Vector: TypeAlias = NDArray[Any]  # of float32, in kernels also of ids
Tile: TypeAlias = tuple[int, ...]


def aligned_zeros(rows: int, width: int) -> Vector:
    """Zeros of float32 whose every row begins at a multiple of 64 bytes, so that no load crosses a cache line."""
    stride = -(-width // 16) * 16
    room = np.zeros(rows * stride * 4 + 64, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + rows * stride * 4].view(np.float32).reshape(rows, stride)[:, :width]


def load(array: Vector, row: int, column: int, tile: Tile) -> Vector:
    """`array[row, column:]` as a vector of 8 · len(tile) lanes."""
    return array[row, column : column + WIDTH * len(tile)].copy()


def store(array: Vector, row: int, column: int, vector: Vector) -> None:
    """`array[row, column:] = vector`."""
    array[row, column : column + len(vector)] = vector


def fill(value: np.float32, tile: Tile) -> Vector:
    """A vector with `value` in each lane."""
    return np.full(WIDTH * len(tile), value, np.float32)


def transpose(source: Vector, row: int, column: int, target: Vector, to_row: int, to_column: int) -> None:
    """`target[to_row:, to_column:] = source[row:, column:].T` for one block of 8 × 8."""
    block = source[row : row + WIDTH, column : column + WIDTH]
    target[to_row : to_row + WIDTH, to_column : to_column + WIDTH] = block.T


def square_root(vector: Vector) -> Vector:
    """Exactly rounded square root."""
    result: Vector = np.sqrt(vector)
    return result


def clamp(vector: Vector, low: np.float32, high: np.float32) -> Vector:
    """`min(max(vector, low), high)`, but NaN stays NaN."""
    return np.where(vector > high, high, np.where(vector < low, low, vector))


def zero_below(vector: Vector, control: Vector, bound: np.float32) -> Vector:
    """`vector` where `control >= bound`, else 0; where `control` is NaN, `vector`."""
    return np.where(control < bound, np.float32(0), vector)


def power_of_two(shifted: Vector) -> Vector:
    """2^n from `shifted` = n + 1.5 · 2^23, whose low mantissa bits are the integer n; for -126 <= n <= 127."""
    return ((shifted.view(np.int32) + np.int32(127)) << np.int32(23)).view(np.float32)


def mantissa(vector: Vector) -> Vector:
    """m of x = m · 2^e with √½ <= m < √2, for positive normal x."""
    above = vector.view(np.int32) - np.int32(ROOT_HALF_BITS)
    return ((above & np.int32(0x7FFFFF)) + np.int32(ROOT_HALF_BITS)).view(np.float32)


def exponent(vector: Vector) -> Vector:
    """e of x = m · 2^e with √½ <= m < √2, for positive normal x, as float32."""
    return ((vector.view(np.int32) - np.int32(ROOT_HALF_BITS)) >> np.int32(23)).astype(np.float32)


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
    """Sum of the lanes: groups of 8 in order, then halves onto halves."""
    return _fold(vector, np.add)


def lane_max(vector: Vector) -> np.float32:
    """Largest lane, in the order of `lane_sum`."""
    return _fold(vector, lambda x, y: np.where(x > y, x, y))

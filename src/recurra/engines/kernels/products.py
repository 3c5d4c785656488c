"""Products of matrices and vectors as sums of scaled rows, each sum in ascending order of its index.

Vectors run across outputs, so the order of every sum is fixed whatever the width of the machine's registers is.
"""

from __future__ import annotations

import numpy as np

from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import WIDTH, Tile, Vector, fill, lane_sum, load, store, transpose

ZERO = np.float32(0)
GROUP, PAIR, WIDE = (0,), (0, 0), (0,) * 8
BLOCK = 40  # rows that are used for all time steps while they lie in the first-level cache


@strict
def clear(target: Vector) -> None:
    """target = 0; its width a multiple of 8."""
    zero = fill(ZERO, GROUP)
    for t in range(target.shape[0]):
        for column in range(0, target.shape[1], WIDTH):
            store(target, t, column, zero)


@strict
def copy_columns(source: Vector, column: int, target: Vector) -> None:
    """target (S, n) = source[:, column : column + n], n a multiple of 8."""
    for s in range(target.shape[0]):
        for k in range(0, target.shape[1], WIDTH):
            store(target, s, k, load(source, s, column + k, GROUP))


@strict
def sum_of_squares(source: Vector) -> np.float64:
    """The sum of the squares of `source` (1, n), n a multiple of 16: 1,024 at a time in float32, those in float64."""
    total = np.float64(0)
    for start in range(0, source.shape[1], 1024):
        part = fill(ZERO, PAIR)
        for column in range(start, min(start + 1024, source.shape[1]), WIDTH * len(PAIR)):
            x = load(source, 0, column, PAIR)
            part = part + x * x
        total += np.float64(lane_sum(part))
    return total


@strict
def column_sums(target: Vector, source: Vector) -> None:
    """target (1, width) = the sum of the rows of `source` (n, width), in order; width a multiple of 16."""
    column = _column_sums(target, source, 0, WIDE)
    _column_sums(target, source, column, PAIR)


@strict
def _column_sums(target: Vector, source: Vector, column: int, tile: Tile) -> int:
    """Those of whole tiles from `column` on; where the next begins."""
    while column + WIDTH * len(tile) <= target.shape[1]:
        total = fill(ZERO, tile)
        for t in range(source.shape[0]):
            total = total + load(source, t, column, tile)
        store(target, 0, column, total)
        column += WIDTH * len(tile)
    return column


@strict
def scatter_add(target: Vector, rows: Vector, source: Vector) -> None:
    """target[rows[i]] += source[i], in order of i; `rows` (n,) ids, `source` (n, width)."""
    for i in range(source.shape[0]):
        for column in range(0, source.shape[1], WIDTH):
            total = load(target, rows[i], column, GROUP) + load(source, i, column, GROUP)
            store(target, rows[i], column, total)


@strict
def scale_streams(target: Vector, source: Vector, masks: Vector) -> None:
    """target[t B + s] = source[t B + s] · masks[s]: a dropout mask a stream, the same at every step; masks (B, .)."""
    B = masks.shape[0]
    for i in range(source.shape[0]):
        for column in range(0, source.shape[1], WIDTH):
            store(target, i, column, load(source, i, column, GROUP) * load(masks, i % B, column, GROUP))


@strict
def set_rows(target: Vector, source: Vector, row: int, tile: Tile) -> None:
    """Every row of `target` becomes source[row]; both of one width."""
    for column in range(0, target.shape[1], WIDTH * len(tile)):
        value = load(source, row, column, tile)
        for t in range(target.shape[0]):
            store(target, t, column, value)


@strict
def add_row_products(target: Vector, coefficients: Vector, first: int, rows: Vector, count: int, tile: Tile) -> None:
    """target[t] += sum_j coefficients[first + t, j] rows[j] for j < `count`.

    target (T, width), coefficients (>= first + T, >= count), rows (>= count, width).
    """
    steps, width = target.shape
    for start in range(0, count, BLOCK):
        stop = min(start + BLOCK, count)
        for column in range(0, width, WIDTH * len(tile)):
            for t in range(steps):
                total = load(target, t, column, tile)
                for j in range(start, stop):
                    total = total + coefficients[first + t, j] * load(rows, j, column, tile)
                store(target, t, column, total)


@strict
def _partial_product(vector: Vector, t: int, rows: Vector, start: int, stop: int, column: int, tile: Tile) -> Vector:
    total = fill(ZERO, tile)
    for j in range(start, stop):
        total = total + vector[t, j] * load(rows, j, column, tile)
    return total


@strict
def product(vector: Vector, t: int, rows: Vector, count: int, column: int, tile: Tile) -> Vector:
    """sum_j vector[t, j] rows[j, column:] for j < `count`: the sum over the first half plus that over the second.

    Which half is summed first alternates with t, which changes no bit of the result: at the next step the half
    used last still lies in the first-level cache, in which the whole matrix may have no room.
    """
    middle = (count + 1) // 2
    if t % 2 == 0:
        first = _partial_product(vector, t, rows, 0, middle, column, tile)
        second = _partial_product(vector, t, rows, middle, count, column, tile)
    else:
        second = _partial_product(vector, t, rows, middle, count, column, tile)
        first = _partial_product(vector, t, rows, 0, middle, column, tile)
    return first + second


@strict
def transpose_matrix(source: Vector, target: Vector) -> None:
    """target = source^T; both sizes multiples of 16."""
    for row in range(0, source.shape[0], WIDTH):
        for column in range(0, source.shape[1], WIDTH):
            transpose(source, row, column, target, column, row)

"""Products of matrices and vectors as sums of scaled rows, each sum in ascending order of its index.

Vectors run across outputs, so that the order of every sum does not depend on the width of the machine's registers.
"""

from __future__ import annotations

import numpy as np

from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import (
    WIDTH,
    Tile,
    Vector,
    element,
    fill,
    lane_sum,
    load,
    multiply_add,
    store,
    transpose,
)

ZERO = np.float32(0)
GROUP, PAIR, WIDE = (0,), (0, 0), (0,) * 8
BLOCK = 40  # rows used for all time steps in turn, so that they stay in the first-level cache


@strict
def clear(target: Vector) -> None:
    """Set every element of `target` to 0.

    Args:
        target: (., n), n a multiple of 8; written.
    """
    zero = fill(ZERO, GROUP)
    for t in range(target.shape[0]):
        for column in range(0, target.shape[1], WIDTH):
            store(target, t, column, zero)


@strict
def copy_columns(source: Vector, column: int, target: Vector) -> None:
    """Copy columns: target = source[:, column : column + n].

    Args:
        source: (B, >= column + n).
        column: index of the first column.
        target: (B, n), n a multiple of 8; written.
    """
    for s in range(target.shape[0]):
        for k in range(0, target.shape[1], WIDTH):
            store(target, s, k, load(source, s, column + k, GROUP))


@strict
def sum_of_squares(source: Vector) -> np.float64:
    """Return the sum of the squares. Groups of 1,024 elements are added in float32, the groups in float64.

    Args:
        source: (1, n), n a multiple of 16.
    Returns: the sum, a float64.
    """
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
    """Write the sum of the rows of `source`, in order.

    Args:
        target: (1, n), n a multiple of 16; written.
        source: (., n).
    """
    column = _column_sums(target, source, 0, WIDE)
    _column_sums(target, source, column, PAIR)


@strict
def _column_sums(target: Vector, source: Vector, column: int, tile: Tile) -> int:
    """Write the sums of as many full tiles as fit from `column` on. Return the column after the last full tile."""
    while column + WIDTH * len(tile) <= target.shape[1]:
        total = fill(ZERO, tile)
        for t in range(source.shape[0]):
            total = total + load(source, t, column, tile)
        store(target, 0, column, total)
        column += WIDTH * len(tile)
    return column


@strict
def scatter_add(target: Vector, rows: Vector, source: Vector) -> None:
    """Add rows by index: target[rows[i]] += source[i], in order of i.

    Args:
        target: (., n), n a multiple of 8; written.
        rows: (m,) integers, a row of `target` for each row of `source`.
        source: (m, n).
    """
    for i in range(source.shape[0]):
        for column in range(0, source.shape[1], WIDTH):
            total = load(target, rows[i], column, GROUP) + load(source, i, column, GROUP)
            store(target, rows[i], column, total)


@strict
def scale_streams(target: Vector, source: Vector, masks: Vector) -> None:
    """Apply a dropout mask, the same at every time step: target[t B + s] = source[t B + s] · masks[s].

    Args:
        target: (T B, n), n a multiple of 8; written.
        source: (T B, n).
        masks: (B, n), one mask for each stream.
    """
    B = masks.shape[0]
    for i in range(source.shape[0]):
        for column in range(0, source.shape[1], WIDTH):
            store(target, i, column, load(source, i, column, GROUP) * load(masks, i % B, column, GROUP))


@strict
def set_rows(target: Vector, source: Vector, row: int, tile: Tile) -> None:
    """Set every row of `target` to source[row].

    Args:
        target: (., n); written.
        source: (., n).
        row: index of the row in `source`.
        tile: width of the vectors.
    """
    for column in range(0, target.shape[1], WIDTH * len(tile)):
        value = load(source, row, column, tile)
        for t in range(target.shape[0]):
            store(target, t, column, value)


@strict
def add_row_products(target: Vector, coefficients: Vector, first: int, rows: Vector, count: int, tile: Tile) -> None:
    """Add a matrix product: target[t] += sum over j < count of coefficients[first + t, j] rows[j].

    Two rows of `target` are computed together, so that their sums overlap in time.

    Args:
        target: (T, n); written.
        coefficients: (>= first + T, >= count).
        first: row of `coefficients` that belongs to target[0].
        rows: (>= count, n).
        count: number of terms of each sum.
        tile: width of the vectors.
    """
    steps, width = target.shape
    for start in range(0, count, BLOCK):
        stop = min(start + BLOCK, count)
        for column in range(0, width, WIDTH * len(tile)):
            for t in range(0, steps - 1, 2):
                total, total_next = load(target, t, column, tile), load(target, t + 1, column, tile)
                for j in range(start, stop):
                    row = load(rows, j, column, tile)
                    total = multiply_add(element(coefficients, first + t, j), row, total)
                    total_next = multiply_add(element(coefficients, first + t + 1, j), row, total_next)
                store(target, t, column, total)
                store(target, t + 1, column, total_next)
            if steps % 2:
                total = load(target, steps - 1, column, tile)
                for j in range(start, stop):
                    row = load(rows, j, column, tile)
                    total = multiply_add(element(coefficients, first + steps - 1, j), row, total)
                store(target, steps - 1, column, total)


@strict
def product(vector: Vector, t: int, rows: Vector, count: int, column: int, tile: Tile) -> Vector:
    """Return the sum over j < count of vector[t, j] rows[j, column:], in ascending order of j.

    Args:
        vector: (., >= count), the coefficients.
        t: row of `vector`.
        rows: (>= count, n).
        count: number of terms of the sum.
        column: index of the first column of the result.
        tile: width of the result.
    Returns: a vector of 8 len(tile) lanes.
    """
    total = fill(ZERO, tile)
    for j in range(count):
        total = multiply_add(element(vector, t, j), load(rows, j, column, tile), total)
    return total


@strict
def transpose_matrix(source: Vector, target: Vector) -> None:
    """Compute target = source^T.

    Args:
        source: (m, n), both multiples of 8.
        target: (n, m); written.
    """
    for row in range(0, source.shape[0], WIDTH):
        for column in range(0, source.shape[1], WIDTH):
            transpose(source, row, column, target, column, row)

"""Products of matrices and vectors as sums of scaled rows, each sum in ascending order of its index.

Vectors run across outputs, so the order of every sum is fixed whatever the width of the machine's registers is.
"""

from __future__ import annotations

import numpy as np

from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import WIDTH, Tile, Vector, fill, load, store, transpose

ZERO = np.float32(0)
BLOCK = 40  # rows that are used for all time steps while they lie in the first-level cache


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
            transpose(source, target, row, column)

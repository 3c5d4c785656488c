"""Products of matrices and vectors as sums of scaled rows, each sum in ascending order of its index.

Vectors run across outputs, so the order of every sum is fixed whatever the width of the machine's registers is.
"""

from __future__ import annotations

from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import WIDTH, Tile, Vector, load, store, transpose

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
def transpose_matrix(source: Vector, target: Vector) -> None:
    """target = source^T; both sizes multiples of 16."""
    for row in range(0, source.shape[0], WIDTH):
        for column in range(0, source.shape[1], WIDTH):
            transpose(source, target, row, column)

"""C = op(A) B or C += op(A) B. Each sum is in ascending order of k, whatever the block sizes are.

B is stored in panels of 16 columns, so that the innermost loop reads consecutive memory; some rows of A are packed side
by side. `lanes.add_products` holds a block of sums in registers: 8 × 32 with AVX-512, 6 × 16 otherwise (`processor`).
After Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (ACM TOMS 34, 2008).
"""

from __future__ import annotations

import numpy as np

from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import (
    WIDTH,
    Tile,
    Vector,
    add_products,
    element,
    fill,
    load,
    multiply_add,
    store,
    transpose,
)
from recurra.engines.kernels.processor import choose_blocks

ZERO = np.float32(0)
PANEL = 16  # columns
DEPTH = 256  # terms of a sum in one pass; a panel of this depth has 16 KiB
PANELS = 24  # panels for the same rows: 384 KiB, which fit in the second-level cache
TILE = (0, 0)
ROWS = 8  # columns of the buffer for packed rows; a block has at most as many rows
BLOCKS = choose_blocks()
BLOCK_ROWS, BLOCK_PANELS, BY_FOUR, BY_TWO, BY_ONE = BLOCKS
HEIGHT = len(BLOCK_ROWS)
WIDEST = 128  # columns of a single row's product that are computed together


def panel_rows(k: int, n: int) -> tuple[int, int]:
    """Return the shape of a matrix (k, n) in panels.

    Args:
        k: rows of the matrix.
        n: columns of the matrix.
    Returns: rows and columns of the panels.
    """
    return -(-n // PANEL) * k, PANEL


@strict
def pack(source: Vector, panels: Vector) -> None:
    """Copy a matrix into panels: row p k + j of `panels` is source[j, 16 p : 16 p + 16].

    Args:
        source: (k, n), n a multiple of 16.
        panels: (k n / 16, 16); written.
    """
    k = source.shape[0]
    for p in range(source.shape[1] // PANEL):
        for j in range(k):
            store(panels, p * k + j, 0, load(source, j, p * PANEL, TILE))


@strict
def pack_transposed(source: Vector, panels: Vector) -> None:
    """Copy the transpose of a matrix into panels.

    Args:
        source: (n, k), both multiples of 16.
        panels: (k n / 16, 16); written.
    """
    n, k = source.shape
    for p in range(n // PANEL):
        for j in range(0, k, WIDTH):
            for half in range(0, PANEL, WIDTH):
                transpose(source, p * PANEL + half, j, panels, p * k + j, half)


@strict
def _stripe(
    C: Vector,
    i: int,
    a: Vector,
    r: int,
    panels: Vector,
    first: int,
    last: int,
    depth: int,
    k: int,
    d: int,
    add: bool,
    rows: Tile,
    together: Tile,
) -> None:
    """Add d terms from k on to rows i, i + 1, … of the panels from `first` to `last`, several panels at a time."""
    p = first
    while p + len(together) <= last:
        add_products(C, i, p * PANEL, a, r, panels, p * depth + k, depth, d, add, rows, together)
        p += len(together)
    while p < last:
        add_products(C, i, p * PANEL, a, r, panels, p * depth + k, depth, d, add, rows, (0,))
        p += 1


@strict
def _pack_rows(A: Vector, transposed: bool, i: int, rows: int, k: int, depth: int, a: Vector) -> None:
    """Copy rows of op(A) side by side: a[j, r] = op(A)[i + r, k + j] for r < rows, j < depth."""
    if transposed:
        if i + WIDTH <= A.shape[1]:
            for j in range(depth):
                store(a, j, 0, load(A, k + j, i, (0,)))
        else:
            for j in range(depth):
                for r in range(rows):
                    a[j, r] = A[k + j, i + r]
        return
    whole = depth - depth % WIDTH if i + WIDTH <= A.shape[0] else 0
    for j in range(0, whole, WIDTH):
        transpose(A, i, k + j, a, j, 0)
    for r in range(rows):
        for j in range(whole, depth):
            a[j, r] = A[i + r, k + j]


@strict
def multiply(A: Vector, transposed: bool, panels: Vector, depth: int, C: Vector, a: Vector, add: bool) -> None:
    """Compute C = op(A) B, or C += op(A) B if `add`.

    Args:
        A: (M, depth), or (depth, M) if `transposed`.
        transposed: True if op(A) = A^T.
        panels: B (depth, N) in panels.
        depth: number of terms of each sum.
        C: (M, N), N a multiple of 16; written.
        a: (256, 8), workspace for packed rows; overwritten.
        add: True to add to C.
    """
    M, count = C.shape[0], C.shape[1] // PANEL
    for k in range(0, depth, DEPTH):
        d, more = min(DEPTH, depth - k), add or k > 0
        for first in range(0, count, PANELS):
            last = min(first + PANELS, count)
            for i in range(0, M, HEIGHT):
                rows = min(HEIGHT, M - i)
                _pack_rows(A, transposed, i, rows, k, d, a)
                if rows == HEIGHT:
                    _stripe(C, i, a, 0, panels, first, last, depth, k, d, more, BLOCK_ROWS, BLOCK_PANELS)
                    continue
                r = 0
                if rows >= 4:
                    _stripe(C, i, a, 0, panels, first, last, depth, k, d, more, (0, 0, 0, 0), BY_FOUR)
                    r = 4
                if rows - r >= 2:
                    _stripe(C, i + r, a, r, panels, first, last, depth, k, d, more, (0, 0), BY_TWO)
                    r += 2
                if rows > r:
                    _stripe(C, i + r, a, r, panels, first, last, depth, k, d, more, (0,), BY_ONE)


@strict
def multiply_outer(A: Vector, B: Vector, C: Vector, a: Vector, panels: Vector) -> None:
    """Compute C = A^T B: the gradient of a weight matrix, summed over time and streams.

    Args:
        A: (depth, M).
        B: (depth, N), N a multiple of 16.
        C: (M, N); written.
        a: (256, 8), workspace for packed rows; overwritten.
        panels: (256 N / 16, 16), workspace for 256 rows of B in panels; overwritten.
    """
    for k in range(0, A.shape[0], DEPTH):
        d = min(DEPTH, A.shape[0] - k)
        pack(B[k : k + d], panels)
        multiply(A[k : k + d], True, panels, d, C, a, k > 0)


@strict
def _row_tile(x: Vector, B: Vector, y: Vector, column: int, tile: Tile) -> None:
    """Write one tile of y = x B, from `column` on."""
    total = fill(ZERO, tile)
    for k in range(B.shape[0]):
        total = multiply_add(element(x, 0, k), load(B, k, column, tile), total)
    store(y, 0, column, total)


@strict
def row_multiply(x: Vector, B: Vector, y: Vector) -> None:
    """Compute y = x B for a single row, with the bits of `multiply`: each sum is in ascending order of k.

    The columns are divided into tiles of 128 lanes and one tile for the rest. A wide tile reads long runs of memory,
    and its sums overlap in time.

    Args:
        x: (1, depth).
        B: (depth, N), not in panels.
        y: (1, N), N a multiple of 16; written.
    """
    rest = y.shape[1] % WIDEST
    whole = y.shape[1] - rest
    for column in range(0, whole, WIDEST):
        _row_tile(x, B, y, column, (0,) * 16)
    if rest == 112:
        _row_tile(x, B, y, whole, (0,) * 14)
    elif rest == 96:
        _row_tile(x, B, y, whole, (0,) * 12)
    elif rest == 80:
        _row_tile(x, B, y, whole, (0,) * 10)
    elif rest == 64:
        _row_tile(x, B, y, whole, (0,) * 8)
    elif rest == 48:
        _row_tile(x, B, y, whole, (0,) * 6)
    elif rest == 32:
        _row_tile(x, B, y, whole, (0,) * 4)
    elif rest == 16:
        _row_tile(x, B, y, whole, TILE)


@strict
def step_product(x: Vector, W: Vector, y: Vector, packed: Vector) -> None:
    """Compute y = x W^T, the recurrent product of one time step. Padded elements of x and W are zero.

    Args:
        x: (B, depth).
        W: W^T (depth, N) in panels; if B = 1, it may be a plain matrix, because a single row reads it only once.
        y: (B, N), N a multiple of 16; written.
        packed: (256, 8), workspace for packed rows; overwritten.
    """
    if x.shape[0] == 1 and W.shape[0] == x.shape[1]:
        row_multiply(x, W, y)
    else:
        multiply(x, False, W, x.shape[1], y, packed, False)

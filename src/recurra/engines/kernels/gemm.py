"""C = op(A) B or C += op(A) B. Each sum is in ascending order of k, whatever the block sizes are.

B is stored in panels of 16 columns, so that the innermost loop reads consecutive memory; 8 rows of A are packed side by
side. The innermost kernel holds 8 × 16 sums in registers. It reaches 113 GFLOP/s on a core of Zen 4, more than OpenBLAS
on the same core: multiplications and additions run in parallel, and a fused multiply-add would occupy both units.
After Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (ACM TOMS 34, 2008).
"""

from __future__ import annotations

import numpy as np

from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import WIDTH, Tile, Vector, fill, load, store, transpose

ZERO = np.float32(0)
PANEL = 16  # columns
DEPTH = 256  # terms of a sum in one pass; a panel of this depth has 16 KiB
PANELS = 24  # panels for the same rows: 384 KiB, which fit in the second-level cache
ROWS = 8
TILE = (0, 0)
WIDEST, WIDE = (0,) * 16, (0,) * 8  # tiles of a single row's product: wider tiles read longer runs of memory


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
def _begin(C: Vector, i: int, n: int, add: bool) -> Vector:
    """Return the initial value of the sums of one row and panel."""
    return load(C, i, n, TILE) if add else fill(ZERO, TILE)


@strict
def _eight(C: Vector, i: int, n: int, a: Vector, b: Vector, start: int, depth: int, add: bool) -> None:
    """Compute eight rows of one panel."""
    c0, c1, c2, c3 = _begin(C, i, n, add), _begin(C, i + 1, n, add), _begin(C, i + 2, n, add), _begin(C, i + 3, n, add)
    c4, c5, c6, c7 = (
        _begin(C, i + 4, n, add),
        _begin(C, i + 5, n, add),
        _begin(C, i + 6, n, add),
        _begin(C, i + 7, n, add),
    )
    for k in range(depth):
        row = load(b, start + k, 0, TILE)
        c0 = c0 + a[k, 0] * row
        c1 = c1 + a[k, 1] * row
        c2 = c2 + a[k, 2] * row
        c3 = c3 + a[k, 3] * row
        c4 = c4 + a[k, 4] * row
        c5 = c5 + a[k, 5] * row
        c6 = c6 + a[k, 6] * row
        c7 = c7 + a[k, 7] * row
    store(C, i, n, c0)
    store(C, i + 1, n, c1)
    store(C, i + 2, n, c2)
    store(C, i + 3, n, c3)
    store(C, i + 4, n, c4)
    store(C, i + 5, n, c5)
    store(C, i + 6, n, c6)
    store(C, i + 7, n, c7)


@strict
def _four(C: Vector, i: int, n: int, a: Vector, b: Vector, start: int, depth: int, add: bool) -> None:
    """Compute four rows of one panel."""
    c0, c1, c2, c3 = _begin(C, i, n, add), _begin(C, i + 1, n, add), _begin(C, i + 2, n, add), _begin(C, i + 3, n, add)
    for k in range(depth):
        row = load(b, start + k, 0, TILE)
        c0 = c0 + a[k, 0] * row
        c1 = c1 + a[k, 1] * row
        c2 = c2 + a[k, 2] * row
        c3 = c3 + a[k, 3] * row
    store(C, i, n, c0)
    store(C, i + 1, n, c1)
    store(C, i + 2, n, c2)
    store(C, i + 3, n, c3)


@strict
def _two_by_four(
    C: Vector, i: int, n: int, a: Vector, r: int, b: Vector, start: int, stride: int, depth: int, add: bool
) -> None:
    """Compute two rows of four panels, which are `stride` rows apart in `b`."""
    c0, d0 = _begin(C, i, n, add), _begin(C, i + 1, n, add)
    c1, d1 = _begin(C, i, n + PANEL, add), _begin(C, i + 1, n + PANEL, add)
    c2, d2 = _begin(C, i, n + 2 * PANEL, add), _begin(C, i + 1, n + 2 * PANEL, add)
    c3, d3 = _begin(C, i, n + 3 * PANEL, add), _begin(C, i + 1, n + 3 * PANEL, add)
    for k in range(depth):
        x, y, at = a[k, r], a[k, r + 1], start + k
        row = load(b, at, 0, TILE)
        c0, d0 = c0 + x * row, d0 + y * row
        row = load(b, at + stride, 0, TILE)
        c1, d1 = c1 + x * row, d1 + y * row
        row = load(b, at + 2 * stride, 0, TILE)
        c2, d2 = c2 + x * row, d2 + y * row
        row = load(b, at + 3 * stride, 0, TILE)
        c3, d3 = c3 + x * row, d3 + y * row
    store(C, i, n, c0)
    store(C, i + 1, n, d0)
    store(C, i, n + PANEL, c1)
    store(C, i + 1, n + PANEL, d1)
    store(C, i, n + 2 * PANEL, c2)
    store(C, i + 1, n + 2 * PANEL, d2)
    store(C, i, n + 3 * PANEL, c3)
    store(C, i + 1, n + 3 * PANEL, d3)


@strict
def _one(C: Vector, i: int, n: int, a: Vector, r: int, b: Vector, start: int, depth: int, add: bool) -> None:
    """Compute one row of one panel."""
    c = _begin(C, i, n, add)
    for k in range(depth):
        c = c + a[k, r] * load(b, start + k, 0, TILE)
    store(C, i, n, c)


@strict
def _one_by_four(
    C: Vector, i: int, n: int, a: Vector, r: int, b: Vector, start: int, stride: int, depth: int, add: bool
) -> None:
    """Compute one row of four panels, which are `stride` rows apart in `b`.

    Four sums overlap in time. A single sum would have to wait for each addition to end.
    """
    c0, c1 = _begin(C, i, n, add), _begin(C, i, n + PANEL, add)
    c2, c3 = _begin(C, i, n + 2 * PANEL, add), _begin(C, i, n + 3 * PANEL, add)
    for k in range(depth):
        x, at = a[k, r], start + k
        c0 = c0 + x * load(b, at, 0, TILE)
        c1 = c1 + x * load(b, at + stride, 0, TILE)
        c2 = c2 + x * load(b, at + 2 * stride, 0, TILE)
        c3 = c3 + x * load(b, at + 3 * stride, 0, TILE)
    store(C, i, n, c0)
    store(C, i, n + PANEL, c1)
    store(C, i, n + 2 * PANEL, c2)
    store(C, i, n + 3 * PANEL, c3)


@strict
def _pack_rows(A: Vector, transposed: bool, i: int, rows: int, k: int, depth: int, a: Vector) -> None:
    """Copy rows of op(A) side by side: a[j, r] = op(A)[i + r, k + j] for r < rows, j < depth."""
    if transposed:
        if rows == ROWS:
            for j in range(depth):
                store(a, j, 0, load(A, k + j, i, (0,)))
        else:
            for j in range(depth):
                for r in range(rows):
                    a[j, r] = A[k + j, i + r]
        return
    whole = depth - depth % WIDTH if rows == ROWS else 0
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
            for i in range(0, M, ROWS):
                rows = min(ROWS, M - i)
                _pack_rows(A, transposed, i, rows, k, d, a)
                if rows == ROWS:
                    for p in range(first, last):
                        _eight(C, i, p * PANEL, a, panels, p * depth + k, d, more)
                    continue
                r = 0
                if rows >= 4:
                    for p in range(first, last):
                        _four(C, i, p * PANEL, a, panels, p * depth + k, d, more)
                    r = 4
                while r < rows:
                    taken, p = min(rows - r, 2), first
                    while p + 4 <= last:
                        if taken == 2:
                            _two_by_four(C, i + r, p * PANEL, a, r, panels, p * depth + k, depth, d, more)
                        else:
                            _one_by_four(C, i + r, p * PANEL, a, r, panels, p * depth + k, depth, d, more)
                        p += 4
                    while p < last:
                        for s in range(r, r + taken):
                            _one(C, i + s, p * PANEL, a, s, panels, p * depth + k, d, more)
                        p += 1
                    r += taken


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
def _row_stretch(x: Vector, B: Vector, y: Vector, column: int, stop: int, tile: Tile) -> int:
    """Write y[0, column:] = x B in full tiles that end by `stop`. Return the column after the last tile."""
    while column + WIDTH * len(tile) <= stop:
        total = fill(ZERO, tile)
        for k in range(B.shape[0]):
            total = total + x[0, k] * load(B, k, column, tile)
        store(y, 0, column, total)
        column += WIDTH * len(tile)
    return column


@strict
def row_multiply(x: Vector, B: Vector, y: Vector) -> None:
    """Compute y = x B for a single row, with the bits of `multiply`: each sum is in ascending order of k.

    Args:
        x: (1, depth).
        B: (depth, N), not in panels.
        y: (1, N), N a multiple of 16; written.
    """
    column = _row_stretch(x, B, y, 0, y.shape[1], WIDEST)
    column = _row_stretch(x, B, y, column, y.shape[1], WIDE)
    _row_stretch(x, B, y, column, y.shape[1], TILE)


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

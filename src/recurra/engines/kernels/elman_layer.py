"""The elman cell in float32, a layer of B streams: `network/cells/elman.py` with products from `gemm`."""

from __future__ import annotations

import numpy as np

from recurra.engines.kernels.arithmetic import tanh
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.gemm import step_product
from recurra.engines.kernels.lanes import WIDTH, Tile, Vector, load, store, zero_below

ZERO, ONE = np.float32(0), np.float32(1)
SMALLEST = np.float32(1e-45)  # the least positive number: relu passes nothing at 0, and gives no gradient there


@strict
def step_forward(a: Vector, table: Vector, rows: Vector, b: Vector, h: Vector, relu: bool, tile: Tile) -> None:
    """h = tanh(U x + b + W h_-), or relu of it.

    a (B, H): W h_-; table (., H) with U x of stream s in row rows[s]; b (1, H); h (B, H) the result.
    """
    for s in range(h.shape[0]):
        for k in range(0, h.shape[1], WIDTH * len(tile)):
            x = load(a, s, k, tile) + (load(table, rows[s], k, tile) + load(b, 0, k, tile))
            if relu:
                store(h, s, k, zero_below(x, x, ZERO))
            else:
                store(h, s, k, tanh(x))


@strict
def step_backward(dh_out: Vector, dh: Vector, h: Vector, da: Vector, relu: bool, tile: Tile) -> None:
    """dL/da = dL/dh (1 - h²), for relu dL/dh where h > 0; dL/dh = dh_out from above + dh from later; all (B, H)."""
    for s in range(h.shape[0]):
        for k in range(0, h.shape[1], WIDTH * len(tile)):
            d = load(dh_out, s, k, tile) + load(dh, s, k, tile)
            h_s = load(h, s, k, tile)
            if relu:
                store(da, s, k, zero_below(d, h_s, SMALLEST))
            else:
                store(da, s, k, d * (ONE - h_s * h_s))


@strict
def forward(
    a: Vector,
    table: Vector,
    rows: Vector,
    b: Vector,
    W: Vector,
    h: Vector,
    steps: int,
    relu: bool,
    packed: Vector,
    tile: Tile,
) -> None:
    """All steps: h (T B + B, H) begins with the state before the first; a (B, H) and packed (256, 8) are room.

    table and rows (T B,) as in `step_forward`; W: W^T (H, H) as in `step_product`.
    """
    B = a.shape[0]
    for t in range(steps):
        now, after = slice(t * B, t * B + B), slice(t * B + B, t * B + 2 * B)
        step_product(h[now], W, a, packed)
        step_forward(a, table, rows[now], b, h[after], relu, tile)


@strict
def backward(
    dh_out: Vector,
    h: Vector,
    W: Vector,
    da: Vector,
    dh: Vector,
    steps: int,
    relu: bool,
    packed: Vector,
    tile: Tile,
) -> None:
    """All steps from the last: dh_out (T B, H) from above, da (T B, H) the result; dh (B, H) is 0 on entry.

    W: (H, H) as in `step_product`.
    """
    B = dh.shape[0]
    for back in range(steps):
        t = steps - 1 - back
        now, after = slice(t * B, t * B + B), slice(t * B + B, t * B + 2 * B)
        step_backward(dh_out[now], dh, h[after], da[now], relu, tile)
        step_product(da[now], W, dh, packed)

"""The LSTM cell in float32, a layer of B streams: `network/cells/lstm.py` with products from `gemm`.

The arithmetic on the gates is one pass over memory a step. Padded units have zero weights: i = f = o = 1/2, g = 0,
hence c = h = 0, and all their gradients are 0.
"""

from __future__ import annotations

import numpy as np

from recurra.engines.kernels.arithmetic import sigmoid, tanh
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.gemm import step_product
from recurra.engines.kernels.lanes import WIDTH, Tile, Vector, load, store

ONE = np.float32(1)


@strict
def step_forward(
    gates: Vector, table: Vector, rows: Vector, b: Vector, before: Vector, after: Vector, h: Vector, tile: Tile
) -> None:
    """i, f, o = sigmoid, g = tanh of (U x + b + W h_-); c = f c_- + i g; h = o tanh c.

    gates (B, 4 H): W h_- on entry, the gates i f g o on return; table (., 4 H) with U x of stream s in row rows[s];
    b (1, 4 H); before (B, H) is c_-, after (B, H) becomes c, h (B, H) the result. H is a multiple of the tile.
    """
    H = h.shape[1]
    for s in range(h.shape[0]):
        row = rows[s]
        for k in range(0, H, WIDTH * len(tile)):
            i = sigmoid(load(gates, s, k, tile) + (load(table, row, k, tile) + load(b, 0, k, tile)))
            f = sigmoid(load(gates, s, H + k, tile) + (load(table, row, H + k, tile) + load(b, 0, H + k, tile)))
            g = tanh(
                load(gates, s, 2 * H + k, tile) + (load(table, row, 2 * H + k, tile) + load(b, 0, 2 * H + k, tile))
            )
            o = sigmoid(
                load(gates, s, 3 * H + k, tile) + (load(table, row, 3 * H + k, tile) + load(b, 0, 3 * H + k, tile))
            )
            c = f * load(before, s, k, tile) + i * g
            store(gates, s, k, i)
            store(gates, s, H + k, f)
            store(gates, s, 2 * H + k, g)
            store(gates, s, 3 * H + k, o)
            store(after, s, k, c)
            store(h, s, k, o * tanh(c))


@strict
def step_backward(
    dh_out: Vector, dh: Vector, dc: Vector, gates: Vector, before: Vector, after: Vector, da: Vector, tile: Tile
) -> None:
    """dL/da of the four gates, and dL/dc_- in place of dL/dc.

    With D = dL/dh (dh_out from above plus dh from later time) and t = tanh c:
        do = D t,  dc += D o (1 - t²),  di = dc g,  df = dc c_-,  dg = dc i,  dc_- = dc f
        da_i = di i (1 - i),  da_f = df f (1 - f),  da_g = dg (1 - g²),  da_o = do o (1 - o)
    dh_out, dh, dc, before (c_-), after (c): (B, H); gates, da: (B, 4 H).
    """
    H = dc.shape[1]
    for s in range(dc.shape[0]):
        for k in range(0, H, WIDTH * len(tile)):
            i, f = load(gates, s, k, tile), load(gates, s, H + k, tile)
            g, o = load(gates, s, 2 * H + k, tile), load(gates, s, 3 * H + k, tile)
            t = tanh(load(after, s, k, tile))
            d = load(dh_out, s, k, tile) + load(dh, s, k, tile)
            dc_s = load(dc, s, k, tile) + d * o * (ONE - t * t)
            store(da, s, k, dc_s * g * i * (ONE - i))
            store(da, s, H + k, dc_s * load(before, s, k, tile) * f * (ONE - f))
            store(da, s, 2 * H + k, dc_s * i * (ONE - g * g))
            store(da, s, 3 * H + k, d * t * o * (ONE - o))
            store(dc, s, k, dc_s * f)


@strict
def forward(
    gates: Vector,
    table: Vector,
    rows: Vector,
    b: Vector,
    W: Vector,
    h: Vector,
    c: Vector,
    steps: int,
    packed: Vector,
    tile: Tile,
) -> None:
    """All steps: h and c (T B + B, H) begin with the state before the first, gates (T B, 4 H) are kept for backward.

    table and rows (T B,) as in `step_forward`; W: W^T (H, 4 H) as in `step_product`; packed (256, 8): room.
    """
    B = h.shape[0] // (steps + 1)
    for t in range(steps):
        now, after = slice(t * B, t * B + B), slice(t * B + B, t * B + 2 * B)
        step_product(h[now], W, gates[now], packed)
        step_forward(gates[now], table, rows[now], b, c[now], c[after], h[after], tile)


@strict
def backward(
    dh_out: Vector,
    gates: Vector,
    c: Vector,
    W: Vector,
    da: Vector,
    dh: Vector,
    dc: Vector,
    steps: int,
    packed: Vector,
    tile: Tile,
) -> None:
    """All steps from the last: dh_out (T B, H) from above, da (T B, 4 H) the result; dh, dc (B, H) are 0 on entry.

    W: (4 H, H) as in `step_product`.
    """
    B = dh.shape[0]
    for back in range(steps):
        t = steps - 1 - back
        now, after = slice(t * B, t * B + B), slice(t * B + B, t * B + 2 * B)
        step_backward(dh_out[now], dh, dc, gates[now], c[now], c[after], da[now], tile)
        step_product(da[now], W, dh, packed)

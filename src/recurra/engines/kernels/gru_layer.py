"""The GRU cell in float32, a layer of B streams: `network/cells/gru.py` with products from `gemm`.

The reset gate is applied after the product (PyTorch's and cuDNN's form). Padded units have zero weights: n = 0, so that
their h stays 0.
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
    gates: Vector,
    table: Vector,
    rows: Vector,
    b: Vector,
    b_n: Vector,
    before: Vector,
    q: Vector,
    h: Vector,
    tile: Tile,
) -> None:
    """r, z = sigmoid(U x + b + W h_-), q = W_n h_- + b_n, n = tanh(U_n x + b_n' + r q), h = n + z (h_- - n).

    gates (B, 3 H): W h_- on entry, the gates r z n on return; table (., 3 H) with U x of stream s in row rows[s];
    b (1, 3 H), b_n (1, H); before (B, H) is h_-; q (B, H) and h (B, H) are results. H is a multiple of the tile.
    """
    H = h.shape[1]
    for s in range(h.shape[0]):
        row = rows[s]
        for k in range(0, H, WIDTH * len(tile)):
            r = sigmoid(load(gates, s, k, tile) + (load(table, row, k, tile) + load(b, 0, k, tile)))
            z = sigmoid(load(gates, s, H + k, tile) + (load(table, row, H + k, tile) + load(b, 0, H + k, tile)))
            q_s = load(gates, s, 2 * H + k, tile) + load(b_n, 0, k, tile)
            n = tanh((load(table, row, 2 * H + k, tile) + load(b, 0, 2 * H + k, tile)) + r * q_s)
            store(gates, s, k, r)
            store(gates, s, H + k, z)
            store(gates, s, 2 * H + k, n)
            store(q, s, k, q_s)
            store(h, s, k, n + z * (load(before, s, k, tile) - n))


@strict
def step_backward(
    dh_out: Vector,
    dh: Vector,
    carry: Vector,
    gates: Vector,
    q: Vector,
    before: Vector,
    da: Vector,
    dq: Vector,
    tile: Tile,
) -> None:
    """dL/da of the gates r z n as the input sees them, and dL/d(W h_- + b) as the recurrence does.

    With D = dL/dh (dh_out from above, dh and carry from later time):
        dz = D (h_- - n),  dn = D (1 - z),  da_n = dn (1 - n²),  dr = da_n q,  dq = da_n r
        da_r = dr r (1 - r),  da_z = dz z (1 - z);  D z reaches h_- directly and becomes the new carry
    dh_out, dh, carry, q, before (h_-): (B, H); gates, da (r z n), dq (r z, then dq for n): (B, 3 H).
    """
    H = carry.shape[1]
    for s in range(carry.shape[0]):
        for k in range(0, H, WIDTH * len(tile)):
            r, z, n = load(gates, s, k, tile), load(gates, s, H + k, tile), load(gates, s, 2 * H + k, tile)
            d = (load(dh_out, s, k, tile) + load(dh, s, k, tile)) + load(carry, s, k, tile)
            da_n = d * (ONE - z) * (ONE - n * n)
            da_r = da_n * load(q, s, k, tile) * r * (ONE - r)
            da_z = d * (load(before, s, k, tile) - n) * z * (ONE - z)
            store(da, s, k, da_r)
            store(da, s, H + k, da_z)
            store(da, s, 2 * H + k, da_n)
            store(dq, s, k, da_r)
            store(dq, s, H + k, da_z)
            store(dq, s, 2 * H + k, da_n * r)
            store(carry, s, k, d * z)


@strict
def forward(
    gates: Vector,
    table: Vector,
    rows: Vector,
    b: Vector,
    b_n: Vector,
    W: Vector,
    h: Vector,
    q: Vector,
    steps: int,
    packed: Vector,
    tile: Tile,
) -> None:
    """All steps: h (T B + B, H) begins with the state before the first; gates (T B, 3 H) and q (T B, H) are kept.

    table and rows (T B,) as in `step_forward`; W: W^T (H, 3 H) as in `step_product`; packed (256, 8): room.
    """
    B = h.shape[0] // (steps + 1)
    for t in range(steps):
        now, after = slice(t * B, t * B + B), slice(t * B + B, t * B + 2 * B)
        step_product(h[now], W, gates[now], packed)
        step_forward(gates[now], table, rows[now], b, b_n, h[now], q[now], h[after], tile)


@strict
def backward(
    dh_out: Vector,
    gates: Vector,
    q: Vector,
    h: Vector,
    W: Vector,
    da: Vector,
    dq: Vector,
    dh: Vector,
    carry: Vector,
    steps: int,
    packed: Vector,
    tile: Tile,
) -> None:
    """All steps from the last: dh_out (T B, H) from above, da and dq (T B, 3 H) results; dh, carry (B, H) are 0.

    W: (3 H, H) as in `step_product`.
    """
    B = dh.shape[0]
    for back in range(steps):
        t = steps - 1 - back
        now = slice(t * B, t * B + B)
        step_backward(dh_out[now], dh, carry, gates[now], q[now], h[now], da[now], dq[now], tile)
        step_product(dq[now], W, dh, packed)

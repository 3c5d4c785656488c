"""The elman cell in float32, one stream: the equations of `network/cells/elman.py` with fixed sums, and whole updates.

Matrices are kept as rows to be scaled and added: U^T, and W and V both ways round. The widths of m and K are padded to
whole tiles; padding stays 0 (probability 0 at the output).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.engines.kernels.arithmetic import tanh
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import WIDTH, Tile, Vector, load, store
from recurra.engines.kernels.optimizers import adagrad_lookup, adagrad_outer, adagrad_sum
from recurra.engines.kernels.products import add_row_products, product, set_rows, transpose_matrix
from recurra.engines.kernels.softmax import logits, softmax_loss

ONE = np.float32(1)


class FusedWeights(NamedTuple):
    """U (K, m wide) transposed, W (m, m wide), b (1, m wide), V (K, m wide), c (1, K wide)."""

    U: Vector
    W: Vector
    b: Vector
    V: Vector
    c: Vector


class FusedWorkspace(NamedTuple):
    """What one update writes: `h` (T + 1, m wide) with h_0 first, `o` (T, K wide) logits, then their gradient, `da`
    (T, m wide), `zeros` (1, m wide), `sums` (1, T), `W` and `V` transposed (m rows), and two arrays of integers for
    `adagrad_lookup`.
    """

    h: Vector
    o: Vector
    da: Vector
    zeros: Vector
    sums: Vector
    W: Vector
    V: Vector
    following: NDArray[np.int64]
    latest: NDArray[np.int64]


@strict
def forward(h: Vector, ids: Vector, U: Vector, Wt: Vector, b: Vector, m: int, tile: Tile) -> None:
    """h_t = tanh(U x_t + b + W h_{t-1}) with x_t the one-hot vector of ids[t-1].

    h (T + 1, width): h[0] given, the others written; U (K, width) transposed, Wt (m, width) = W^T.
    """
    for t in range(h.shape[0] - 1):
        for column in range(0, h.shape[1], WIDTH * len(tile)):
            a = load(U, ids[t], column, tile) + load(b, 0, column, tile)
            store(h, t + 1, column, tanh(a + product(h, t, Wt, m, column, tile)))


@strict
def backward(da: Vector, h: Vector, W: Vector, m: int, tile: Tile) -> None:
    """dL/da_t = (V^T g_t + W^T dL/da_{t+1}) (1 - h_t²), from the last step to the first.

    da (T, width): holds V^T g_t, becomes dL/da_t; h (T + 1, width) from `forward`; W (m, width).
    """
    steps = da.shape[0]
    for back in range(steps):
        t = steps - 1 - back
        for column in range(0, da.shape[1], WIDTH * len(tile)):
            dh = load(da, t, column, tile)
            if back > 0:
                dh = dh + product(da, t + 1, W, m, column, tile)
            h_t = load(h, t + 1, column, tile)
            store(da, t, column, dh * (ONE - h_t * h_t))


@strict
def train(
    inputs: Vector,
    targets: Vector,
    weights: FusedWeights,
    squares: FusedWeights,
    workspace: FusedWorkspace,
    rates: Vector,
    carry: bool,
    clip: np.float32,
    m: int,
    tile: Tile,
    output_tile: Tile,
    losses: Vector,
    norms: Vector,
) -> int:
    """Whole updates, one a row of `inputs` and `targets` (n, T): forward, backward, clipping, AdaGrad.

    h goes on from update to update where `carry`, else it begins every update at zero.
    losses (n,) float64: nats a sequence; norms (n, 5): sum of squares of the unclipped gradients of U, W, b, V, c.
    Returns the number of updates done; where loss or a gradient is not finite it stops, and the weights are lost.
    """
    K, steps = weights.V.shape[0], inputs.shape[1]
    for update in range(inputs.shape[0]):
        x, y, rate = inputs[update], targets[update], rates[update]
        if not carry:
            set_rows(workspace.h[:1], workspace.zeros, 0, tile)
        forward(workspace.h, x, weights.U, workspace.W, weights.b, m, tile)
        logits(workspace.o, workspace.h, 1, workspace.V, weights.c, m, output_tile)
        losses[update] = softmax_loss(workspace.o, y, workspace.sums, output_tile)
        set_rows(workspace.da, workspace.zeros, 0, tile)
        add_row_products(workspace.da, workspace.o, 0, weights.V, K, tile)
        backward(workspace.da, workspace.h, weights.W, m, tile)
        norm = norms[update]
        norm[0] = adagrad_lookup(
            weights.U, squares.U, x, workspace.da, steps, workspace.following, workspace.latest, rate, clip, tile
        )
        norm[1] = adagrad_outer(weights.W, squares.W, workspace.da, workspace.h, m, steps, 0, rate, clip, tile)
        norm[2] = adagrad_sum(weights.b, squares.b, workspace.da, steps, rate, clip, tile)
        norm[3] = adagrad_outer(weights.V, squares.V, workspace.o, workspace.h, K, steps, 1, rate, clip, tile)
        norm[4] = adagrad_sum(weights.c, squares.c, workspace.o, steps, rate, clip, output_tile)
        if not np.isfinite(losses[update] + norm[0] + norm[1] + norm[2] + norm[3] + norm[4]):
            return update
        transpose_matrix(weights.W, workspace.W)
        transpose_matrix(weights.V, workspace.V)
        set_rows(workspace.h[:1], workspace.h, steps, tile)
    return len(inputs)

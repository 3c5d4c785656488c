"""The elman network with one stream: the equations of `network/cells/elman.py`, and complete training updates.

Matrices are stored as rows to be scaled and added: U^T, and W and V both plain and transposed. H and K are padded to
full tiles. Padded elements stay 0; a padded symbol has probability 0.
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
from recurra.engines.kernels.softmax import softmax_loss

ONE = np.float32(1)


class FusedWeights(NamedTuple):
    """The parameters.

    m and K are the hidden units and the symbols before padding. Padded rows are zeros.

    U: (K, H), transposed.
    W: (>= m rounded up to an even number, H).
    b: (1, H).
    V: (>= K rounded up to an even number, H).
    c: (1, K).
    """

    U: Vector
    W: Vector
    b: Vector
    V: Vector
    c: Vector


class FusedWorkspace(NamedTuple):
    """The arrays that one update overwrites.

    h: (T + 1, H), the hidden states; h[0] is the state before the first step.
    o: (T, K), the logits, then their gradients.
    da: (T, H), gradients of the sums in tanh.
    zeros: (1, H), zeros; only read.
    sums: (1, T padded), sums of exponentials.
    W: (m, H), W transposed; m hidden units before padding.
    V: (m, K), V transposed.
    following: (T,), workspace of `adagrad_lookup`.
    latest: (symbols,), workspace of `adagrad_lookup`.
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
    """Compute the hidden states h_t = tanh(U x_t + b + W h_{t-1}), where x_t is the one-hot vector of ids[t-1].

    Args:
        h: (T + 1, H); h[0] is read, the other rows are written.
        ids: (T,) integers.
        U: (symbols, H), transposed.
        Wt: (m, H), W transposed.
        b: (1, H).
        m: number of hidden units before padding.
        tile: width of the vectors.
    """
    for t in range(h.shape[0] - 1):
        for column in range(0, h.shape[1], WIDTH * len(tile)):
            a = load(U, ids[t], column, tile) + load(b, 0, column, tile)
            store(h, t + 1, column, tanh(a + product(h, t, Wt, m, column, tile)))


@strict
def backward(da: Vector, h: Vector, W: Vector, m: int, tile: Tile) -> None:
    """Backpropagate through all time steps, from the last to the first.

        dL/da_t = (V^T g_t + W^T dL/da_{t+1}) (1 - h_t²)

    Args:
        da: (T, H), V^T g_t; overwritten with dL/da_t.
        h: (T + 1, H), from `forward`.
        W: (m, H).
        m: number of hidden units before padding.
        tile: width of the vectors.
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
    """Run n training updates: forward, backward, clipping by value, AdaGrad.

    If a loss or a gradient is not finite, the function stops, and the parameters are no longer valid.

    Args:
        inputs: (n, T) integers, one sequence for each update.
        targets: (n, T) integers, the symbol after each symbol of `inputs`.
        weights: the parameters; updated.
        squares: the sums of squared gradients of AdaGrad; updated.
        workspace: overwritten; workspace.h[0] is the hidden state before the first update.
        rates: (n,), learning rates.
        carry: True to pass h from update to update, False to begin every update with h = 0.
        clip: largest absolute value of a gradient's element.
        m: number of hidden units before padding.
        tile: width of the vectors over hidden units.
        output_tile: width of the vectors over symbols.
        losses: (n,) float64, loss of each sequence in nats; written.
        norms: (n, 5), sums of squares of the gradients of U, W, b, V, c before clipping; written.
    Returns: the number of updates completed.
    """
    K, steps = weights.V.shape[0], inputs.shape[1]
    rows = m + m % 2  # the gradient of a padded row is 0
    for update in range(inputs.shape[0]):
        x, y, rate = inputs[update], targets[update], rates[update]
        if not carry:
            set_rows(workspace.h[:1], workspace.zeros, 0, tile)
        forward(workspace.h, x, weights.U, workspace.W, weights.b, m, tile)
        set_rows(workspace.o, weights.c, 0, output_tile)
        add_row_products(workspace.o, workspace.h, 1, workspace.V, m, output_tile)
        losses[update] = softmax_loss(workspace.o, y, workspace.sums)
        set_rows(workspace.da, workspace.zeros, 0, tile)
        add_row_products(workspace.da, workspace.o, 0, weights.V, K, tile)
        backward(workspace.da, workspace.h, weights.W, m, tile)
        norm = norms[update]
        norm[0] = adagrad_lookup(
            weights.U, squares.U, x, workspace.da, steps, workspace.following, workspace.latest, rate, clip, tile
        )
        norm[1] = adagrad_outer(weights.W, squares.W, workspace.da, workspace.h, rows, steps, 0, rate, clip, tile)
        norm[2] = adagrad_sum(weights.b, squares.b, workspace.da, steps, rate, clip, tile)
        norm[3] = adagrad_outer(weights.V, squares.V, workspace.o, workspace.h, K, steps, 1, rate, clip, tile)
        norm[4] = adagrad_sum(weights.c, squares.c, workspace.o, steps, rate, clip, output_tile)
        if not np.isfinite(losses[update] + norm[0] + norm[1] + norm[2] + norm[3] + norm[4]):
            return update
        transpose_matrix(weights.W, workspace.W)
        transpose_matrix(weights.V, workspace.V)
        set_rows(workspace.h[:1], workspace.h, steps, tile)
    return len(inputs)

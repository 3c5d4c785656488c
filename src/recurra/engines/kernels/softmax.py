"""The output layer in float32: projection, softmax, cross-entropy and their gradient with respect to the logits."""

from __future__ import annotations

import numpy as np

from recurra.engines.kernels.arithmetic import exp, log
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import WIDTH, Tile, Vector, fill, lane_max, lane_sum, load, store
from recurra.engines.kernels.products import add_row_products, set_rows

ZERO, ONE = np.float32(0), np.float32(1)
LOWEST = np.float32(-1e30)  # the bias of padding: its probability is exactly 0


@strict
def logits(o: Vector, h: Vector, first: int, Vt: Vector, c: Vector, m: int, tile: Tile) -> None:
    """o_t = c + V h_t.

    o (T, width of K) result; h (>= first + T, >= m), row first + t is h_t; Vt (m, width of K) = V^T; c (1, width of K).
    """
    set_rows(o, c, 0, tile)
    add_row_products(o, h, first, Vt, m, tile)


@strict
def _largest(o: Vector, t: int, tile: Tile) -> np.float32:
    """max_k o_t[k]."""
    step = WIDTH * len(tile)
    largest = lane_max(load(o, t, 0, tile))
    for column in range(step, o.shape[1], step):
        largest = max(largest, lane_max(load(o, t, column, tile)))
    return largest


@strict
def _sum_of_exponentials(o: Vector, t: int, largest: np.float32, keep: bool, tile: Tile) -> np.float32:
    """sum_k e_k with e_k = exp(o_t[k] - largest); where `keep`, o_t becomes e."""
    total = ZERO
    for column in range(0, o.shape[1], WIDTH * len(tile)):
        e = exp(load(o, t, column, tile) - largest)
        if keep:
            store(o, t, column, e)
        total = total + lane_sum(e)
    return total


@strict
def softmax_loss(o: Vector, targets: Vector, sums: Vector, tile: Tile) -> np.float64:
    """Cross-entropy L = sum_t (log sum_k exp o_t[k] - o_t[y_t]) in nats; o_t becomes g_t = dL/do_t = p_t - y_t.

    o (T, width of K), targets (T,) ids, sums (1, T in multiples of 16): room for the sums of exponentials.
    A step whose target is below 0 is padding: it adds nothing to L, and its g_t is 0.
    The terms are added in float64, in ascending order of t.
    """
    steps = o.shape[0]
    loss = np.float64(0)
    for t in range(steps):
        if targets[t] < 0:
            sums[0, t] = ONE  # whose logarithm is 0
            for column in range(0, o.shape[1], WIDTH * len(tile)):
                store(o, t, column, fill(ZERO, tile))
            continue
        correct = o[t, targets[t]]
        largest = _largest(o, t, tile)
        total = _sum_of_exponentials(o, t, largest, True, tile)
        sums[0, t] = total
        loss -= np.float64(correct - largest)
        share = ONE / total
        for column in range(0, o.shape[1], WIDTH * len(tile)):
            store(o, t, column, load(o, t, column, tile) * fill(share, tile))
        o[t, targets[t]] -= ONE
    for column in range(0, sums.shape[1], WIDTH):
        store(sums, 0, column, log(load(sums, 0, column, (0,))))
    for t in range(steps):
        loss += np.float64(sums[0, t])
    return loss


@strict
def log_softmax(o: Vector, sums: Vector, tile: Tile) -> None:
    """o_t becomes log p_t = o_t - max - log sum_k exp(o_t[k] - max), in nats.

    o (T, width of K), sums (1, T in multiples of 16): room for the sums of exponentials.
    """
    step = WIDTH * len(tile)
    for t in range(o.shape[0]):
        largest = _largest(o, t, tile)
        sums[0, t] = _sum_of_exponentials(o, t, largest, False, tile)
        for column in range(0, o.shape[1], step):
            store(o, t, column, load(o, t, column, tile) - largest)
    for column in range(0, sums.shape[1], WIDTH):
        store(sums, 0, column, log(load(sums, 0, column, (0,))))
    for t in range(o.shape[0]):
        for column in range(0, o.shape[1], step):
            store(o, t, column, load(o, t, column, tile) - sums[0, t])

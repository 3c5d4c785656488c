"""The softmax, the cross-entropy, and its gradient with respect to the logits."""

from __future__ import annotations

import numpy as np

from recurra.engines.kernels.arithmetic import exp, log
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import WIDTH, Vector, fill, lane_max, lane_sum, load, store

ZERO, ONE = np.float32(0), np.float32(1)
PAIR = (0, 0)
STEP = WIDTH * len(PAIR)
LOWEST = np.float32(-1e30)  # the bias of a padded symbol, whose probability is then exactly 0


@strict
def _largest(o: Vector, t: int) -> np.float32:
    """Return max_k o_t[k]."""
    largest = lane_max(load(o, t, 0, PAIR))
    for column in range(STEP, o.shape[1], STEP):
        largest = max(largest, lane_max(load(o, t, column, PAIR)))
    return largest


@strict
def _sum_of_exponentials(o: Vector, t: int, largest: np.float32, keep: bool) -> np.float32:
    """Return the sum over k of e_k = exp(o_t[k] - largest). If `keep`, overwrite o_t with e."""
    total = fill(ZERO, PAIR)
    for column in range(0, o.shape[1], STEP):
        e = exp(load(o, t, column, PAIR) - largest)
        if keep:
            store(o, t, column, e)
        total = total + e
    return lane_sum(total)


@strict
def softmax_loss(o: Vector, targets: Vector, sums: Vector) -> np.float64:
    """Return the cross-entropy, and replace the logits by their gradients g_t = dL/do_t = p_t - y_t.

        L = sum_t (log sum_k exp o_t[k] - o_t[y_t])

    The terms are added in float64, in ascending order of t.

    Args:
        o: (T, K), the logits, K a multiple of 16; overwritten with the gradients.
        targets: (T,) integers y_t; a negative target marks padding, which has no loss and a zero gradient.
        sums: (1, T padded to a multiple of 8), workspace for the sums of exponentials; overwritten.
    Returns: the loss L in nats, a float64.
    """
    steps = o.shape[0]
    loss = np.float64(0)
    for t in range(steps):
        if targets[t] < 0:
            sums[0, t] = ONE  # its logarithm is 0
            for column in range(0, o.shape[1], STEP):
                store(o, t, column, fill(ZERO, PAIR))
            continue
        correct = o[t, targets[t]]
        largest = _largest(o, t)
        total = _sum_of_exponentials(o, t, largest, True)
        sums[0, t] = total
        loss -= np.float64(correct - largest)
        share = ONE / total
        for column in range(0, o.shape[1], STEP):
            store(o, t, column, load(o, t, column, PAIR) * fill(share, PAIR))
        o[t, targets[t]] -= ONE
    for column in range(0, sums.shape[1], WIDTH):
        store(sums, 0, column, log(load(sums, 0, column, (0,))))
    for t in range(steps):
        loss += np.float64(sums[0, t])
    return loss


@strict
def log_softmax(o: Vector, sums: Vector) -> None:
    """Replace logits by log probabilities, in nats.

        log p_t = o_t - max_k o_t[k] - log sum_k exp(o_t[k] - max_k o_t[k])

    Args:
        o: (T, K), the logits, K a multiple of 16; overwritten with log p.
        sums: (1, T padded to a multiple of 8), workspace for the sums of exponentials; overwritten.
    """
    for t in range(o.shape[0]):
        largest = _largest(o, t)
        sums[0, t] = _sum_of_exponentials(o, t, largest, False)
        for column in range(0, o.shape[1], STEP):
            store(o, t, column, load(o, t, column, PAIR) - largest)
    for column in range(0, sums.shape[1], WIDTH):
        store(sums, 0, column, log(load(sums, 0, column, (0,))))
    for t in range(o.shape[0]):
        for column in range(0, o.shape[1], STEP):
            store(o, t, column, load(o, t, column, PAIR) - sums[0, t])

"""Logits from n-gram contexts: the last 1, 2, … N symbols select N rows, which are added to the network's logits.

A hash of the symbols selects the row, and contexts with equal hashes share a row. After every symbol, each row of the
current contexts takes a gradient step:

    row_k <- row_k - rate (p_k - [k = symbol]),    rate = max(first / √(1 + n), least)

n counts the earlier updates of the row. Source: Mikolov, Deoras, Povey, Burget, Černocký, "Strategies for training
large scale neural network language models" (2011), who call these rows direct connections and use one rate for all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import WIDTH, Vector, load, store

GROUP = (0,)
MULTIPLIER, MASK, SHIFT = np.int64(1_000_003), np.int64(2**40 - 1), np.int64(19)  # no product passes 2^63
ONE = np.float32(1)


class Contexts(NamedTuple):
    """The rows of the contexts, and the contexts of the current symbol.

    rows: (R, K), R a power of two.
    counts: (R,), the number of updates of each row.
    at: (N,) int64, indices of the rows of the current contexts.
    last: (N,) int64, the last N symbols plus 1, the newest first; 0 before the first symbol.
    rates: (2,), the first and the least learning rate.
    """

    rows: Vector
    counts: Vector
    at: Vector
    last: Vector
    rates: Vector


@strict
def learn(contexts: Contexts, p: Vector, symbol: int) -> None:
    """Update the rows of the current contexts.

    Args:
        contexts: `rows` and `counts` are updated.
        p: (1, K), the predicted probabilities; overwritten.
        symbol: the id of the symbol that followed.
    """
    p[0, symbol] -= ONE
    for n in range(contexts.at.shape[0]):
        row = contexts.at[n]
        rate = max(contexts.rates[0] / np.sqrt(ONE + contexts.counts[row]), contexts.rates[1])
        contexts.counts[row] += ONE
        for column in range(0, p.shape[1], WIDTH):
            updated = load(contexts.rows, row, column, GROUP) - rate * load(p, 0, column, GROUP)
            store(contexts.rows, row, column, updated)


@strict
def follow(contexts: Contexts, symbol: int) -> None:
    """Append a symbol to the current contexts.

    Args:
        contexts: `last` and `at` are updated.
        symbol: the id of the symbol.
    """
    size = contexts.last.shape[0]
    for n in range(size - 1, 0, -1):
        contexts.last[n] = contexts.last[n - 1]
    contexts.last[0] = symbol + 1
    mask, code = np.int64(contexts.rows.shape[0] - 1), np.int64(0)
    for n in range(size):
        code = (code * MULTIPLIER + contexts.last[n]) & MASK
        contexts.at[n] = (code ^ (code >> SHIFT)) & mask


@strict
def observe(contexts: Contexts, p: Vector, symbol: int) -> None:
    """Update the rows with the next symbol, unless it is the first symbol, and append the symbol to the contexts.

    Args:
        contexts: updated.
        p: (1, K), the predicted probabilities; overwritten.
        symbol: the id of the symbol.
    """
    if contexts.last[0] > 0:
        learn(contexts, p, symbol)
    follow(contexts, symbol)


@strict
def add(contexts: Contexts, logits: Vector) -> None:
    """Add the rows of the current contexts to logits.

    Args:
        contexts: the contexts.
        logits: (1, K); updated.
    """
    for n in range(contexts.at.shape[0]):
        row = contexts.at[n]
        for column in range(0, logits.shape[1], WIDTH):
            total = load(logits, 0, column, GROUP) + load(contexts.rows, row, column, GROUP)
            store(logits, 0, column, total)

"""Logits by what came last: for each of the last 1, 2, … N symbols' contexts a row that is added to the network's own.

The rows are found by hashing, and learn by themselves after every symbol:

    row_k <- row_k - rate · (p_k - [k = symbol]),    rate = max(first / √(1 + n), least)

n being how often the row has learned. Contexts that are hashed to one row share it. Source: Mikolov, Deoras, Povey,
Burget, Černocký, "Strategies for training large scale neural network language models" (2011), whose direct
connections these are; there all rows learn at one rate.
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
    """rows (a power of two, K) float32 and counts, as many, how often each has learned; at (N,) int64: the rows that
    are added now; last (N,) int64: the symbols that came last, the newest first, each plus 1, 0 where there was none;
    rates (2,) float32: the first and the least.
    """

    rows: Vector
    counts: Vector
    at: Vector
    last: Vector
    rates: Vector


@strict
def learn(contexts: Contexts, p: Vector, symbol: int) -> None:
    """The rows that were added learn that `symbol` came, of which p (1, K) was expected; p is overwritten."""
    p[0, symbol] -= ONE
    for n in range(contexts.at.shape[0]):
        row = contexts.at[n]
        rate = max(contexts.rates[0] / np.sqrt(ONE + contexts.counts[row]), contexts.rates[1])
        contexts.counts[row] += ONE
        for column in range(0, p.shape[1], WIDTH):
            learned = load(contexts.rows, row, column, GROUP) - rate * load(p, 0, column, GROUP)
            store(contexts.rows, row, column, learned)


@strict
def follow(contexts: Contexts, symbol: int) -> None:
    """The contexts after `symbol` has come."""
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
    """`symbol` has come, of which p (1, K) was expected, if any has come before; p is overwritten."""
    if contexts.last[0] > 0:
        learn(contexts, p, symbol)
    follow(contexts, symbol)


@strict
def add(contexts: Contexts, logits: Vector) -> None:
    """logits (1, K) += the rows of the contexts."""
    for n in range(contexts.at.shape[0]):
        row = contexts.at[n]
        for column in range(0, logits.shape[1], WIDTH):
            total = load(logits, 0, column, GROUP) + load(contexts.rows, row, column, GROUP)
            store(logits, 0, column, total)

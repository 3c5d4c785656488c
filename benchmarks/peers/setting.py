"""The training that every peer repeats, its initial weights and its text.

m = 100 hidden units, tau = 25 characters an update, batch 1, weights from N(0, 0.01²), biases 0,
AdaGrad at rate 0.1 (square root of the sum of squares + 1e-8), gradients clipped to [-5, 5] first.
An epoch is floor((N - 1) / tau) sequences; h starts each epoch at 0 and is carried through it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HIDDEN = 100
TAU = 25
RATE = 0.1
EPSILON = 1e-8
CLIP = 5.0
SCALE = 0.01

Parameters = dict[str, NDArray[np.float64]]


def initial(symbols: int, seed: int) -> Parameters:
    """Initial weights of seed `seed`: U (m, K), W (m, m), V (K, m) normal, b (m,) and c (K,) zero."""
    draw = np.random.default_rng(seed)
    return {
        "U": draw.normal(0.0, SCALE, (HIDDEN, symbols)),
        "W": draw.normal(0.0, SCALE, (HIDDEN, HIDDEN)),
        "b": np.zeros(HIDDEN),
        "V": draw.normal(0.0, SCALE, (symbols, HIDDEN)),
        "c": np.zeros(symbols),
    }


def updates_per_epoch(length: int) -> int:
    """floor((N - 1) / tau) for a text of N = `length` characters."""
    return (length - 1) // TAU


def encode(text: str) -> tuple[NDArray[np.int64], int]:
    """The text as positions in its sorted characters, and their number K."""
    rank = {symbol: index for index, symbol in enumerate(sorted(set(text)))}
    return np.fromiter((rank[symbol] for symbol in text), np.int64, len(text)), len(rank)


def synthetic_text(length: int = 1_000_000, symbols: int = 78) -> str:
    """A text of `symbols` different characters in which each depends on the one before it.

    It stands in for the book where the book is not installed: speed hardly depends on the text.
    """
    draw = np.random.default_rng(78)
    steps = draw.geometric(0.5, length) * draw.choice([1, 7], length)
    return "".join(map(chr, 48 + np.cumsum(steps) % symbols))


def book_text(name: str = "kjv") -> tuple[str, str]:
    """The text of the named book and what to call it; the synthetic text where the book is missing."""
    try:
        from recurra.text.named_books import book
    except ImportError:
        return synthetic_text(), "synthetic, 78 symbols (no recurra.text.named_books)"
    from recurra.errors import RecurraError

    try:
        text = book(name)
    except RecurraError as problem:
        return synthetic_text(), f"synthetic, 78 symbols ({problem.message})"
    return text.text, text.name

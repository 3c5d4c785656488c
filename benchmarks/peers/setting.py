"""The classic training, which every peer repeats: its constants, its initial weights and its text.

The network has m = 100 hidden units. An update reads tau = 25 characters of one stream. Weights start from N(0, 0.01²),
biases from 0. Gradients are clipped to [-5, 5]; then AdaGrad at rate 0.1 divides by the square root of the sum of
squares + 1e-8. An epoch is floor((N - 1) / tau) sequences; h is 0 at the start of each epoch and carried within it.
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
    """Return the initial weights of a seed: U (m, K), W (m, m), V (K, m) normal, b (m,) and c (K,) zero."""
    draw = np.random.default_rng(seed)
    return {
        "U": draw.normal(0.0, SCALE, (HIDDEN, symbols)),
        "W": draw.normal(0.0, SCALE, (HIDDEN, HIDDEN)),
        "b": np.zeros(HIDDEN),
        "V": draw.normal(0.0, SCALE, (symbols, HIDDEN)),
        "c": np.zeros(symbols),
    }


def updates_per_epoch(length: int) -> int:
    """Return floor((N - 1) / tau) for a text of N = `length` characters."""
    return (length - 1) // TAU


def encode(text: str) -> tuple[NDArray[np.int64], int]:
    """Return the text as positions in its sorted characters, and their number K."""
    rank = {symbol: index for index, symbol in enumerate(sorted(set(text)))}
    return np.fromiter((rank[symbol] for symbol in text), np.int64, len(text)), len(rank)


def synthetic_text(length: int = 1_000_000, symbols: int = 78) -> str:
    """Return a random text of `symbols` different characters, in which each depends on the character before it.

    It replaces the book if the book is not installed, since the speed hardly depends on the text.
    """
    draw = np.random.default_rng(78)
    steps = draw.geometric(0.5, length) * draw.choice([1, 7], length)
    return "".join(map(chr, 48 + np.cumsum(steps) % symbols))


def book_text(name: str = "kjv") -> tuple[str, str]:
    """Return the text of a book and its name; a synthetic text if the book is missing."""
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

"""The logits of the contexts, compared with the equation in float64."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.compression.kernels import contexts as module
from recurra.compression.kernels.contexts import Contexts, add, observe
from recurra.engines.kernels.lanes import aligned_zeros

SYMBOLS, WIDTH, ORDERS, RATE, LEAST = 5, 16, 3, 0.75, 0.25


def make(rows: int = 1 << 12) -> Contexts:
    counts, last = np.zeros(rows, np.float32), np.zeros(ORDERS, np.int64)
    return Contexts(aligned_zeros(rows, WIDTH), counts, last.copy(), last, np.array([RATE, LEAST], np.float32))


def expected(contexts: Contexts) -> tuple[np.ndarray, np.ndarray]:
    """Return the logits of the contexts alone, and p."""
    logits = aligned_zeros(1, WIDTH)
    logits[0, SYMBOLS:] = -1e30
    add(contexts, logits)
    exponentials = np.exp(logits.astype(np.float64))
    return logits, (exponentials / exponentials.sum()).astype(np.float32)


@given(st.lists(st.integers(0, SYMBOLS - 1), min_size=1, max_size=40))
@settings(max_examples=30)
def test_rows_follow_the_equation(symbols: list[int]) -> None:
    contexts = make()
    rows: dict[tuple[int, ...], np.ndarray] = {}
    counts: dict[tuple[int, ...], int] = {}
    for t, symbol in enumerate(symbols):
        logits, p = expected(contexts)
        past = [-1] * ORDERS + symbols[:t]
        current = [tuple(past[-n:]) for n in range(1, ORDERS + 1)]
        known = sum((rows.get(context, np.zeros(SYMBOLS)) for context in current), np.zeros(SYMBOLS))
        assert np.allclose(logits[0, :SYMBOLS], known if t else 0, atol=1e-4)
        for context in current if t else ():
            rate = max(RATE / math.sqrt(1 + counts.get(context, 0)), LEAST)
            gradient = p[0, :SYMBOLS] - (np.arange(SYMBOLS) == symbol)
            rows[context] = rows.get(context, np.zeros(SYMBOLS)) - rate * gradient
            counts[context] = counts.get(context, 0) + 1
        observe(contexts, p, symbol)
    assert np.all(contexts.rows[:, SYMBOLS:] == 0)
    assert contexts.counts.sum() == ORDERS * (len(symbols) - 1)


def test_long_text_uses_only_rows_of_the_table() -> None:
    contexts = make(rows=8)
    for symbol in np.random.default_rng(0).integers(0, SYMBOLS, 500).tolist():
        observe(contexts, expected(contexts)[1], symbol)
        assert np.all((contexts.at >= 0) & (contexts.at < 8))
    assert np.all(contexts.counts > 0)
    assert np.all(np.isfinite(contexts.rows))


def test_hash_spreads_contexts_over_rows() -> None:
    contexts = make(rows=1 << 16)
    text = np.random.default_rng(1).integers(0, 90, 6000).tolist()
    seen: set[tuple[int, ...]] = set()
    places: set[int] = set()
    for t, symbol in enumerate(text):
        module.follow(contexts, symbol)
        for n in range(1, ORDERS + 1):
            if t >= n - 1:
                seen.add(tuple(text[t - n + 1 : t + 1]))
                places.add(int(contexts.at[n - 1]))
    # At least 0.97 times the number of rows that random hashes would select.
    thrown = contexts.rows.shape[0] * (1 - math.exp(-len(seen) / contexts.rows.shape[0]))
    assert len(places) > 0.97 * thrown


def test_row_indices_match_the_format() -> None:
    """With other rows than in docs/compression.md, no older file could be decompressed."""
    contexts = make(rows=1 << 18)
    for symbol in (3, 0, 255, 17, 96):
        module.follow(contexts, symbol)
    h, rows = 0, []
    for symbol in (96, 17, 255):
        h = (1_000_003 * h + symbol + 1) % 2**40
        rows.append((h ^ h // 2**19) % 2**18)
    assert contexts.at.tolist() == rows

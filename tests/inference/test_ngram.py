"""n-grams: the equations by hand, a plain implementation to compare with, and probabilities that sum to one."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.inference import ngram
from recurra.inference.ngram import NGram

ids_of = st.lists(st.integers(0, 3), min_size=1, max_size=60).map(np.array)


def after(model: NGram, history: list[int], symbol: int) -> np.ndarray:
    """Return p of `symbol` after `history` by each order."""
    probabilities: np.ndarray = np.exp(-model.nats(np.array([*history, symbol]))[:, -1])
    return probabilities


def plain(training: list[int], symbols: int, n: int, history: list[int], symbol: int, *, raw: bool = True) -> float:
    """Return p by the recursion of the module's docstring, with dictionaries."""
    if n == 0:
        return 1 / symbols
    if n > len(history) + 1:
        return plain(training, symbols, len(history) + 1, history, symbol, raw=raw)
    grams = Counter(tuple(training[i : i + n]) for i in range(len(training) - n + 1))
    if not raw:
        longer = {tuple(training[i : i + n + 1]) for i in range(len(training) - n)}
        grams = Counter(gram[1:] for gram in longer)
    below = plain(training, symbols, n - 1, history, symbol, raw=False)
    h = tuple(history[len(history) - n + 1 :])
    followers = {gram[-1]: count for gram, count in grams.items() if gram[:-1] == h}
    if not followers:
        return below
    once, twice = (sum(count == number for count in grams.values()) for number in (1, 2))
    discount = once / (once + 2 * twice) if once and twice else 0.5
    total = sum(followers.values())
    return max(followers.get(symbol, 0) - discount, 0) / total + discount * len(followers) / total * below


def test_unigrams_by_hand() -> None:
    # aaab, symbols a, b, c: one symbol occurs once and none twice, so D = 1/2; N = 2 different symbols occur.
    model = NGram(np.array([0, 0, 0, 1]), 3, highest=1)
    backoff = 0.5 * 2 / 4 / 3
    for symbol, count in enumerate((3, 1, 0)):
        assert after(model, [], symbol)[0] == pytest.approx(max(count - 0.5, 0) / 4 + backoff, rel=1e-15)


def test_bigrams_by_hand() -> None:
    # abab: bigrams ab twice, ba once: D = 1 / (1 + 2). One symbol precedes a, one precedes b: D = 1/2,
    # p_1(a) = (1 - 1/2) / 2 + 1/2 · 2/2 / 2 = 1/2. After a: b twice, p(b|a) = (2 - 1/3) / 2 + 1/3 · 1/2 · 1/2.
    model = NGram(np.array([0, 1, 0, 1]), 2, highest=2)
    assert after(model, [0], 1)[1] == pytest.approx((2 - 1 / 3) / 2 + 1 / 3 / 2 / 2, rel=1e-15)
    assert after(model, [1], 0)[1] == pytest.approx((1 - 1 / 3) + 1 / 3 / 2, rel=1e-15)


@given(ids_of, st.lists(st.integers(0, 3), max_size=7))
def test_probabilities_sum_to_one(training: np.ndarray, history: list[int]) -> None:
    model = NGram(training, 4)
    total = sum(after(model, history, symbol) for symbol in range(4))
    assert np.allclose(total, 1, rtol=0, atol=1e-12)


@given(ids_of, st.lists(st.integers(0, 3), max_size=6), st.integers(0, 3))
def test_every_order_equals_the_plain_recursion(training: np.ndarray, history: list[int], symbol: int) -> None:
    probabilities = after(NGram(training, 4), history, symbol)
    expected = [plain(training.tolist(), 4, n, history, symbol) for n in range(1, 7)]
    assert probabilities == pytest.approx(expected, rel=1e-12)


@given(ids_of, ids_of)
def test_text_losses_equal_losses_one_character_at_a_time(training: np.ndarray, text: np.ndarray) -> None:
    model = NGram(training, 4)
    expected = [-np.log(after(model, text[:i].tolist(), int(text[i]))) for i in range(len(text))]
    assert np.allclose(model.nats(text).T, expected, rtol=1e-12)


def test_block_length_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    model, text = NGram(rng.integers(0, 5, 500), 5), rng.integers(0, 5, 100)
    whole = model.nats(text)
    for block in (1, 3, 7, 64):
        monkeypatch.setattr(ngram, "PREDICTION_BLOCK_SYMBOLS", block)
        assert np.array_equal(model.nats(text), whole)


def test_only_the_end_of_a_long_text_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngram, "MAX_COUNTED_SYMBOLS", 10)
    training = np.arange(40) % 7
    assert np.array_equal(NGram(training, 7).nats(training), NGram(training[-10:], 7).nats(training))


def test_highest_order_fits_63_bits() -> None:
    assert [NGram(np.zeros(3, int), symbols).highest for symbols in (1, 2, 65, 256, 1448, 4447, 65536)] == [
        6, 6, 6, 6, 6, 5, 3,
    ]  # fmt: skip
    assert NGram(np.array([0, 65535, 0, 65535]), 65536).nats(np.array([0, 65535])).shape == (3, 2)


def test_one_symbol_and_empty_texts() -> None:
    assert NGram(np.zeros(9, int), 1).nats(np.zeros(4, int)) == pytest.approx(np.zeros((6, 4)), abs=1e-12)
    assert NGram(np.zeros(0, int), 4).nats(np.array([1, 2])) == pytest.approx(np.full((6, 2), math.log(4)))
    assert NGram(np.array([1, 2]), 4).nats(np.zeros(0, int)).shape == (6, 0)

"""The range coder: lossless, and with the number of bits that the frequencies imply."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recurra.compression.kernels import range_coder
from recurra.compression.kernels.range_coder import TOTAL

ONES = 2**32 - 1  # a word of ones


def encoded(intervals: list[tuple[int, int]]) -> NDArray[np.uint32]:
    words, state = np.zeros(len(intervals) + 1, np.uint32), np.zeros(3, np.uint64)
    range_coder.start_encoding(state)
    before, widths = (np.array([pair[i] for pair in intervals], np.int64) for i in range(2))
    range_coder.encode_all(words, state, before, widths)
    range_coder.finish(words, state)
    return words[: int(state[2])]


def digits(intervals: list[tuple[int, int]]) -> list[int]:
    """Return the words by the equation, with an integer of any length for low, which needs no carry."""
    low, width, count = 0, 2**64 - 1, 1
    for before, frequency in intervals:
        scale = width // 2**24
        low, width = low + scale * before, scale * frequency
        if width < 2**32:
            low, width, count = low << 32, width << 32, count + 1
    number = (low + ONES) // 2**32
    return [number >> 32 * (count - 1 - i) & ONES for i in range(count)]


def assert_decodes(intervals: list[tuple[int, int]]) -> None:
    words, state, longer = encoded(intervals), np.zeros(3, np.uint64), np.zeros(3, np.uint64)
    assert words.tolist() == digits(intervals)
    followed = np.concatenate([words, np.zeros(len(intervals) + 1, np.uint32)])
    range_coder.start_decoding(state, words)
    range_coder.start_decoding(longer, followed)
    for before, width in intervals:
        assert before <= range_coder.point(state) < before + width
        range_coder.advance(words, state, before, width)
        range_coder.advance(followed, longer, before, width)
        assert state.tolist() == longer.tolist()  # zeros follow the words
    bits = sum(24 - math.log2(width) for _, width in intervals)
    assert bits - 1 <= 32 * len(words) <= bits * (1 + 1e-4) + 64


@st.composite
def interval(draw: st.DrawFn) -> tuple[int, int]:
    before = draw(st.one_of(st.integers(0, TOTAL - 1), st.sampled_from([0, TOTAL - 1, TOTAL - 2])))
    return before, draw(st.one_of(st.integers(1, TOTAL - before), st.just(TOTAL - before), st.just(1)))


@given(st.lists(interval(), max_size=60))
def test_round_trip_with_expected_number_of_bits(intervals: list[tuple[int, int]]) -> None:
    assert_decodes(intervals)


@pytest.mark.parametrize("pair", [(TOTAL - 1, 1), (0, 1), (0, TOTAL), (1, TOTAL - 1), (TOTAL // 2, 1)])
def test_round_trip_of_one_symbol_a_thousand_times(pair: tuple[int, int]) -> None:
    assert_decodes([pair] * 1000)


STEP = 2**40 - 2**32  # beginning of the last 2^16 of 2^24, if the range is 2^40


@pytest.mark.parametrize(("distance", "words", "low"), [
    (0, [6, 0, 0], STEP - 1), (STEP - 1, [6, 0, 0], 0), (STEP, [5, ONES, ONES], 2**64 - 1),
])  # fmt: skip
def test_carry_passes_through_words_of_ones(distance: int, words: list[int], low: int) -> None:
    """low is just below 2^64; the symbol carries it beyond, or not quite."""
    output, state = np.array([5, ONES, ONES, 0], np.uint32), np.array([2**64 - 1 - distance, 2**40, 3], np.uint64)
    range_coder.encode(output, state, TOTAL - 2**16, 2**16)
    assert output.tolist() == [*words, 0]
    assert state.tolist() == [low, 2**32, 3]


@pytest.mark.parametrize(("low", "words"), [
    (2**64 - 2**32 + 1, [8, 0, 0]), (2**64 - 2**32, [7, ONES, ONES]), (2**64 - 2**33 + 1, [7, ONES, ONES]),
])  # fmt: skip
def test_last_word_is_rounded_up_with_carry(low: int, words: list[int]) -> None:
    output, state = np.array([7, ONES, 9], np.uint32), np.array([low, 2**32, 2], np.uint64)
    range_coder.finish(output, state)
    assert output.tolist() == words
    assert state[2] == 3


@pytest.mark.parametrize(("frequency", "written"), [(65537, 1), (65538, 0)])
def test_word_is_written_once_the_range_has_32_bits(frequency: int, written: int) -> None:
    """The range becomes 65535 · 65537 = 2^32 - 1, or more."""
    words, state = np.zeros(2, np.uint32), np.array([2**63, 65535 * 2**24, 0], np.uint64)
    range_coder.encode(words, state, 0, frequency)
    assert (words[0], state[2]) == (2**31 * written, written)
    read = np.array([3, 65535 * 2**24, 0], np.uint64)
    range_coder.advance(words, read, 0, frequency)
    assert read[1:].tolist() == state[1:].tolist()


def test_point_is_at_most_total() -> None:
    state = np.array([2**64 - 1, 2**63, 2], np.uint64)
    assert range_coder.point(state) == TOTAL


def frequencies_of(log_probabilities: NDArray[np.float32], total: int = TOTAL - 1) -> NDArray[np.int64]:
    K = len(log_probabilities)
    exponentials = np.zeros((1, -(-K // 8) * 8), np.float32)
    padded = np.full(exponentials.shape, -np.inf, np.float32)
    padded[0, :K] = log_probabilities
    frequencies = np.zeros(K, np.int64)
    range_coder.to_frequencies(padded, K, total, frequencies, exponentials)
    return frequencies


@given(st.lists(st.floats(0, 60), min_size=1, max_size=80))
def test_frequencies_are_positive_and_near_probabilities(heights: list[float]) -> None:
    weights = np.array(heights)
    log_p = (weights - weights.max() - np.log(np.exp(weights - weights.max()).sum())).astype(np.float32)
    frequencies = frequencies_of(log_p)
    assert frequencies.sum() == TOTAL - 1
    assert frequencies.min() >= 1
    np.testing.assert_allclose(
        frequencies / TOTAL, np.exp(log_p.astype(float)), rtol=1e-4, atol=(2 + len(heights)) / TOTAL
    )


def test_equal_probabilities_give_the_remainder_to_the_first() -> None:
    assert (
        frequencies_of(np.zeros(7, np.float32)).tolist()
        == [(TOTAL - 1) - 6 * ((TOTAL - 8) // 7 + 1)] + [(TOTAL - 8) // 7 + 1] * 6
    )


def test_nan_has_frequency_one() -> None:
    assert frequencies_of(np.array([np.nan, 0, -np.inf], np.float32)).tolist() == [1, TOTAL - 3, 1]
    assert frequencies_of(np.full(3, np.nan, np.float32)).tolist() == [TOTAL - 3, 1, 1]


def test_probability_above_one_counts_as_one() -> None:
    """Rounding can make log p positive, and so can a network that is about to overflow."""
    for logs in ([1e-6, 0, -3], [200, 0, -3]):
        assert frequencies_of(np.array(logs, np.float32)).tolist() == frequencies_of(np.array([0, 0, -3])).tolist()


def test_intervals_and_find_agree() -> None:
    log_p = np.log(np.random.default_rng(3).dirichlet(np.ones(8), 5)).astype(np.float32)
    ids, before, widths = np.array([0, 7, 3, 3, 1]), np.zeros(5, np.int64), np.zeros(5, np.int64)
    range_coder.intervals(log_p, ids, TOTAL - 1, 8, before, widths, np.zeros((1, 8), np.float32))
    for t, k in enumerate(ids.tolist()):
        frequencies = frequencies_of(log_p[t])
        assert widths[t] == frequencies[k]
        for place in (before[t], before[t] + widths[t] - 1):
            assert range_coder.find(frequencies, 8, int(place)) == (k, before[t])
    assert list(range_coder.find(frequencies, 8, TOTAL - 1)) == [8, TOTAL - 1]


def test_words_equal_those_of_constriction() -> None:
    """The range coder of another library gives the same words for the same frequencies."""
    constriction = pytest.importorskip("constriction", reason="constriction is installed for this test alone")
    generator = np.random.default_rng(0)
    encoder, intervals = constriction.stream.queue.RangeEncoder(), []
    for _ in range(500):
        widths = generator.integers(1, 2 ** generator.integers(1, 18), 12)
        frequencies = 1 + widths * (TOTAL - 12) // widths.sum()
        frequencies[0] += TOTAL - frequencies.sum()
        symbol = int(generator.integers(12))
        model = constriction.stream.model.Categorical(frequencies / TOTAL, perfect=True)
        encoder.encode(np.array([symbol], np.int32), model)
        intervals.append((int(frequencies[:symbol].sum()), int(frequencies[symbol])))
    assert encoded(intervals).tolist() == encoder.get_compressed().tolist()

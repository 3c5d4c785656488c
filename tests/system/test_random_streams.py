"""Random streams: golden bits, distributions, and streams that begin at any counter."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.system.random_streams import Stream, inverse_normal_cdf, stream

PROBABILITIES = np.concatenate(
    [
        np.linspace(0.001, 0.999, 999),
        [0.075, np.nextafter(0.075, 0), 0.925, np.nextafter(0.925, 1)],  # where the central region ends
        2.0 ** -np.arange(1, 54),
        1 - 2.0 ** -np.arange(2, 54),
        np.exp(-np.linspace(24.9, 25.1, 21)),  # where the far tail begins
    ]
)

GOLDEN_WORDS = ["e8e0a503b617d258", "82bb1fd9aef59c4d", "1dc812a7951a276d", "7fb52df64c014a9b"]
GOLDEN_NORMALS = ["0x1.56b9ddada395dp+0", "0x1.b629d9e115a6cp-6", "-0x1.318a1d9852e9fp+0", "-0x1.77183cadced6cp-9"]


def test_words_equal_golden_values() -> None:
    assert [f"{word:016x}" for word in stream(0, "layers.0.U").words(4)] == GOLDEN_WORDS


def test_normals_equal_golden_values_to_last_bit() -> None:
    assert [value.hex() for value in stream(0, "layers.0.U").normal(4).tolist()] == GOLDEN_NORMALS


def test_uniform_number_is_top_53_bits_of_word() -> None:
    words = stream(7, "a").words(100).tolist()
    assert stream(7, "a").uniform(100).tolist() == [(word >> 11) / 2**53 for word in words]


def test_names_and_seeds_give_different_streams() -> None:
    first = {stream(seed, name).words(1).item() for seed in range(5) for name in ("U", "W", "1:U")}
    assert len(first) == 15


@given(st.integers(0, 40), st.integers(0, 40))
def test_counter_skips_numbers(before: int, after: int) -> None:
    whole = stream(3, "sample").words(before + after)
    assert np.array_equal(stream(3, "sample", counter=before).words(after), whole[before:])
    started = stream(3, "sample")
    started.uniform(before)
    assert np.array_equal(started.words(after), whole[before:])


def test_large_counter_needs_no_loop() -> None:
    far = stream(1, "x", counter=2**62 + 1)
    near = stream(1, "x", counter=2**62)
    assert near.words(2)[1] == far.words(1)[0]


def test_zero_numbers_leave_stream_unchanged() -> None:
    numbers = stream(1, "x")
    assert numbers.normal(0).shape == (0,)
    assert numbers.words(1) == stream(1, "x").words(1)


def test_inverse_normal_agrees_with_standard_library() -> None:
    expected = [NormalDist().inv_cdf(p) for p in PROBABILITIES.tolist()]
    np.testing.assert_allclose(inverse_normal_cdf(PROBABILITIES), expected, rtol=1e-14, atol=1e-15)


def test_inverse_normal_inverts_error_function() -> None:
    """Compare with Phi(z) = erfc(-z / sqrt 2) / 2 in the lower half, which is an independent implementation."""
    lower = PROBABILITIES[PROBABILITIES <= 0.5]
    again = [math.erfc(-z / math.sqrt(2)) / 2 for z in inverse_normal_cdf(lower).tolist()]
    np.testing.assert_allclose(again, lower, rtol=1e-13)


def test_inverse_normal_is_odd_about_one_half() -> None:
    p = np.array([2.0**-40, 0.01, 0.25, 0.4])
    assert np.array_equal(inverse_normal_cdf(1 - p), -inverse_normal_cdf(p))


def test_smallest_and_largest_word_give_finite_normals(monkeypatch: pytest.MonkeyPatch) -> None:
    extremes = np.array([0, 2**64 - 1], dtype=np.uint64)
    monkeypatch.setattr(Stream, "words", lambda *_: extremes)
    low, high = stream(0, "x").normal(2)
    assert low == -high
    assert high == pytest.approx(8.2095, abs=1e-4)
    assert stream(0, "x").uniform(2).tolist() == [0.0, 1 - 2.0**-53]


@pytest.mark.parametrize(("kind", "cdf"), [("uniform", lambda x: x), ("normal", NormalDist().cdf)])
def test_distribution_passes_kolmogorov_smirnov(kind: str, cdf: object) -> None:
    n = 20_000
    numbers = np.sort(getattr(stream(5, kind), kind)(n)).tolist()
    assert callable(cdf)
    distances = [max(cdf(x) - i / n, (i + 1) / n - cdf(x)) for i, x in enumerate(numbers)]
    assert max(distances) * math.sqrt(n) < 1.63  # 1 % level; the numbers are the same in every run


def test_moments_of_normal_numbers() -> None:
    numbers = stream(11, "moments").normal(100_000)
    assert numbers.mean() == pytest.approx(0, abs=0.01)
    assert numbers.std() == pytest.approx(1, abs=0.01)
    assert (numbers**4).mean() == pytest.approx(3, abs=0.1)

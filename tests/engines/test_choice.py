"""The sampling rules against a plain implementation: every filter, their order, and the random choice."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recurra.engines.kernels import choice
from recurra.engines.kernels.choice import choose
from recurra.inference.sampling import SamplingConfig, rules_of
from recurra.text.vocabulary import Vocabulary

Floats = NDArray[np.float64]


def vocabulary_of(size: int) -> Vocabulary:
    return Vocabulary.of("".join(chr(97 + k) for k in range(size)))


def chooser(logits: list[float], config: SamplingConfig, seen: str = "") -> Callable[[float], int]:
    """Return a function from a number in [0, 1) to the id that the kernel chooses, after the prompt `seen`."""
    z = np.asarray(logits, np.float64)
    width = -(-len(z) // 16) * 16
    vocabulary = vocabulary_of(len(z))
    rules = rules_of(config, vocabulary, vocabulary.encode(seen), width)
    padded, logs = (np.full((1, width), -1e30, np.float32) for _ in range(2))
    padded[0, : len(z)] = z
    logs[0, : len(z)] = z - z.max() - np.log(np.exp(z - z.max()).sum())
    room, sums = np.zeros((1, width), np.float32), np.zeros(width)
    return lambda uniform: choose(room, sums, padded, logs, rules, 0, uniform)


def chosen(logits: list[float], config: SamplingConfig, uniform: float) -> int:
    """Return the id that the kernel chooses for this number."""
    return chooser(logits, config)(uniform)


def plain(logits: list[float], config: SamplingConfig, seen: str = "") -> Floats:
    """Return the probabilities by the papers' formulas in float64, in the order of Hugging Face's `generate`."""
    z = np.asarray(logits, np.float64)
    characters = vocabulary_of(len(z)).symbols
    for k, character in enumerate(characters):
        if character in seen:
            z[k] = z[k] * config.repetition_penalty if z[k] < 0 else z[k] / config.repetition_penalty
        if character in config.ban or (config.allow is not None and character not in config.allow):
            z[k] = -math.inf
    if config.temperature == 0:
        return np.eye(len(z))[z.argmax()]
    p = np.exp((z - z.max()) / config.temperature)
    if config.top_k:
        p[p < np.sort(p)[::-1][min(config.top_k, len(p)) - 1]] = 0
    p /= p.sum()
    above = np.array(
        [p[p > probability].sum() for probability in p]
    )  # an id stays if the more likely ids have less than top_p
    if config.top_p < 1:
        p[(above >= config.top_p) & (p < p.max())] = 0
    p[p < config.min_p * p.max()] = 0
    normalized: Floats = p / p.sum()
    return normalized


def shares(logits: list[float], config: SamplingConfig, seen: str = "", draws: int = 1000) -> Floats:
    """Return the share of the unit interval in which each id is chosen."""
    choice = chooser(logits, config, seen)
    ids = [choice((i + 0.5) / draws) for i in range(draws)]
    return np.bincount(ids, minlength=len(logits)) / draws


# Logits on a grid: no two probabilities, and no probability and bound, are close enough for rounding to decide.
LOGITS = st.lists(st.integers(-8, 8).map(lambda n: n / 2), min_size=1, max_size=20)


@given(
    logits=LOGITS,
    temperature=st.sampled_from([0.0, 0.3, 0.7, 1.0, 2.5]),
    top_k=st.integers(0, 22),
    top_p=st.sampled_from([0.0, 0.0501, 0.3003, 0.9001, 0.99003, 1.0]),
    min_p=st.sampled_from([0.0, 0.0103, 0.2007, 0.9011, 1.0]),
    penalty=st.sampled_from([0.7, 1.0, 1.3, 5.0]),
    seen=st.text("abcdefgh", max_size=4),
    ban=st.text("bcdefghij", max_size=3),
)
def test_all_rules_equal_the_plain_implementation(
    logits: list[float], temperature: float, top_k: int, top_p: float, min_p: float, penalty: float, seen: str, ban: str
) -> None:
    known = vocabulary_of(len(logits)).symbols
    seen = "".join(c for c in seen if c in known)
    config = SamplingConfig(
        temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, repetition_penalty=penalty, ban=ban
    )
    actual, expected = shares(logits, config, seen), plain(logits, config, seen)
    assert np.abs(actual - expected).max() <= 0.0015
    assert set(np.flatnonzero(actual)) <= set(np.flatnonzero(expected))


@pytest.mark.parametrize(
    ("config", "left"),
    [
        (SamplingConfig(top_k=1), [0]),
        (SamplingConfig(top_k=2), [0, 1, 2]),  # ids of equal probability stay together
        (SamplingConfig(top_k=4), [0, 1, 2, 3]),
        (SamplingConfig(top_k=2**62), [0, 1, 2, 3, 4]),
        (SamplingConfig(top_p=0.4), [0]),
        (SamplingConfig(top_p=0.41), [0, 1, 2]),
        (SamplingConfig(top_p=0.85), [0, 1, 2, 3]),
        (SamplingConfig(top_p=0), [0]),
        (SamplingConfig(top_k=1, top_p=0.99), [0]),
        (SamplingConfig(top_k=3, top_p=0.51), [0, 1, 2]),  # after top-k, 0.4 of 0.8 is a half
        (SamplingConfig(top_k=3, top_p=0.5), [0]),
        (SamplingConfig(min_p=0.5), [0, 1, 2]),
        (SamplingConfig(min_p=0.3), [0, 1, 2, 3]),
        (SamplingConfig(min_p=1), [0]),
        (SamplingConfig(allow="de"), [3, 4]),
        (SamplingConfig(allow="cde", ban="e"), [2, 3]),
        (SamplingConfig(ban="a", min_p=1), [1, 2]),
        (SamplingConfig(temperature=0.5, top_p=0.6), [0]),  # 0.16 of 0.2625 after the temperature
        (SamplingConfig(temperature=0, ban="a"), [1]),
    ],
)
def test_every_filter_keeps_the_expected_ids(config: SamplingConfig, left: list[int]) -> None:
    logits = np.log([0.4, 0.2, 0.2, 0.15, 0.05]).tolist()
    assert np.flatnonzero(shares(logits, config)).tolist() == left


def test_the_penalty_divides_positive_logits_and_multiplies_negative_ones() -> None:
    config = SamplingConfig(repetition_penalty=2)
    expected = np.exp([2, 2, -2, -1.0])
    actual = shares([4, 2, -1, -1], config, seen="acac", draws=20_000)
    assert np.allclose(actual, expected / expected.sum(), atol=1e-3)


def test_every_id_has_its_probability() -> None:
    logits = [math.log(p) if p else -100 for p in (0.5, 0.0, 0.25, 0.125, 0.125)]
    plain_sampling = SamplingConfig()
    ids = [chosen(logits, plain_sampling, (i + 0.5) / 80) for i in range(80)]
    assert ids == [0] * 40 + [2] * 20 + [3] * 10 + [4] * 10
    assert chosen(logits, plain_sampling, 0.0) == 0
    assert chosen(logits, plain_sampling, 1 - 2**-53) == 4


@given(
    st.lists(st.floats(-60, 60, width=32), min_size=1, max_size=20),
    st.floats(0, allow_infinity=False),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from(["", "a", "b", "ab"]),
)
def test_random_distributions_temperatures_and_numbers(
    values: list[float], temperature: float, uniform: float, ban: str
) -> None:
    ban = ban if len(values) > 2 else ""
    actual = chosen(values, SamplingConfig(temperature=temperature, ban=ban), uniform)
    assert 0 <= actual < len(values)
    assert vocabulary_of(len(values)).symbols[actual] not in ban


@pytest.mark.parametrize("temperature", [0.0, 5e-324, 1e-300, 1e-46, 1e-38, 1e-4])
def test_temperature_zero_selects_the_likeliest(temperature: float) -> None:
    logits = np.log([0.2, 0.1, 0.4, 0.3]).tolist()
    config = SamplingConfig(temperature=temperature)
    assert {chosen(logits, config, uniform) for uniform in (0.0, 0.3, 0.999)} == {2}
    assert {chosen([0.0, 1.0, 1.0], config, uniform) for uniform in (0.0, 0.3)} in ({1}, {1, 2})


@pytest.mark.parametrize("temperature", [1e10, 1e38, 1e300])
def test_high_temperature_gives_uniform_probabilities(temperature: float) -> None:
    logits = np.log([0.97, 0.01, 0.01, 0.01]).tolist()
    config = SamplingConfig(temperature=temperature)
    assert [chosen(logits, config, (i + 0.5) / 4) for i in range(4)] == [0, 1, 2, 3]
    banned = SamplingConfig(temperature=temperature, ban="a")
    assert [chosen(logits, banned, (i + 0.5) / 3) for i in range(3)] == [1, 2, 3]


def test_excluded_ids_are_never_drawn() -> None:
    weights = np.zeros((1, 16), np.float32)
    weights[0, :4] = [1, 0.25, 0, 0.25]
    for uniform in (0.0, 0.5, 0.99, 1 - 2**-53):
        assert choice.draw(weights, 4, np.float32(0.5), uniform, np.zeros(4)) == 0

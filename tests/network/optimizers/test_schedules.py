"""Learning-rate schedules."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.network.optimizers.schedules import (
    _cosine_of_pi,
    _power,
    _root,
    constant,
    cosine,
    exponential,
    step,
)

WARM_UP = 7
SCHEDULES = {
    "constant": constant(0.1),
    "step": step(0.1, every=30, factor=0.3),
    "exponential": exponential(0.1, updates=100, final=0.05),
    "cosine": cosine(0.1, updates=100, warm_up=WARM_UP, final=0.1),
}


def test_constant_rate_is_rounded_to_float32() -> None:
    at = constant(0.1)
    assert at(1) == at(10**6) == float(np.float32(0.1)) != 0.1


def test_step_decay() -> None:
    at = step(8.0, every=10, factor=0.5)
    assert [at(update) for update in (0, 9, 10, 19, 20, 1000)] == [8, 8, 4, 4, 2, 8 * 0.5**100]


def test_exponential_decay() -> None:
    at = exponential(0.25, updates=1000, final=0.01)
    for update in (0, 1, 500, 999, 1000, 2000):
        assert at(update) == pytest.approx(0.25 * 0.01 ** (update / 1000), rel=1e-7)
    assert exponential(0.25, updates=10**6, final=1.0)(10**6) == 0.25


def test_cosine_with_warm_up() -> None:
    at = cosine(0.5, updates=110, warm_up=10, final=0.1)
    assert [at(update) for update in (0, 4, 10, 60)] == pytest.approx([0.5 / 11, 2.5 / 11, 0.5, 0.5 * 0.55], rel=1e-7)
    for update in range(10, 110):
        exact = 0.5 * (0.1 + 0.9 * (1 + math.cos(math.pi * (update - 10) / 100)) / 2)
        assert at(update) == pytest.approx(exact, rel=1e-7)
    assert at(109) > at(110) == at(10**9) == pytest.approx(0.05, rel=1e-7)


def test_cosine_without_warm_up_starts_at_the_rate() -> None:
    at = cosine(0.5, updates=4, warm_up=0, final=0.0)
    assert [at(update) for update in range(5)] == pytest.approx(
        [0.5, 0.25 + 0.25 * math.sqrt(0.5), 0.25, 0.25 - 0.25 * math.sqrt(0.5), 0], rel=1e-6
    )
    assert at(3) > 0


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_is_float32_and_starts_above_zero(name: str) -> None:
    at = SCHEDULES[name]
    rates = [at(update) for update in range(200)]
    assert rates == [float(np.float32(rate)) for rate in rates]
    assert all(rate > 0 for rate in rates)
    assert max(rates) == float(np.float32(0.1))
    falling = rates[WARM_UP if name == "cosine" else 0 :]
    assert falling == sorted(falling, reverse=True)


@given(st.floats(0, 1))
def test_cosine_series_equals_the_cosine(share: float) -> None:
    assert _cosine_of_pi(share) == pytest.approx(math.cos(math.pi * share), abs=1e-15)


@given(st.floats(0.5, 1), st.integers(0, 1000))
def test_power_equals_the_exact_power(base: float, exponent: int) -> None:
    assert _power(base, exponent) == pytest.approx(base**exponent, rel=1e-12)


@given(st.floats(1e-6, 1), st.integers(1, 10**6))
def test_root_is_the_largest_below_the_nth_root(x: float, n: int) -> None:
    assert 0 < _root(x, n) <= 1
    assert _power(_root(x, n), n) == pytest.approx(x, rel=1e-9)

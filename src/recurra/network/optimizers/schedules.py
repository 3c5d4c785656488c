"""Learning-rate schedules: functions from the number of completed updates (0, 1, …) to the next learning rate.

Rates are rounded to float32, so that float32 and float64 engines make the same steps. They are computed with + - * /
only, so that they have the same bits on every machine: powers by repeated squaring, the cosine by its series.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from recurra.config import TrainingConfig

Schedule = Callable[[int], float]
STEP_COUNT: Final = 10  # rates in the schedule "step" of a training
SMALLEST_FINAL_RATE: Final = 1e-6  # as a share of the learning rate, for "step" and "exponential"

# 1 / (2n)! with alternating signs: the series of cos x in x^2, to 1e-19 at x = pi / 2.
_COSINE: Final = tuple((-1) ** n / math.factorial(2 * n) for n in range(13))


def constant(rate: float) -> Schedule:
    """Return a schedule with the same rate at every update."""
    rounded = _float32(rate)
    return lambda update: rounded  # noqa: ARG005 - a schedule's signature


def step(rate: float, *, every: int, factor: float) -> Schedule:
    """Return the schedule rate * factor^floor(update / every): the rate drops after each `every` updates."""
    return lambda update: _float32(rate * _power(factor, update // every))


def exponential(rate: float, *, updates: int, final: float) -> Schedule:
    """Return the schedule rate * final^(update / updates): the rate falls to rate * final after `updates`."""
    factor = _root(final, updates)
    return lambda update: _float32(rate * _power(factor, update))


def cosine(rate: float, *, updates: int, warm_up: int, final: float) -> Schedule:
    """Return a schedule that rises linearly to `rate` in `warm_up` updates, then falls to rate * final along a cosine.

        update < warm_up:   rate * (update + 1) / (warm_up + 1)
        then:               rate * (final + (1 - final) * (1 + cos(pi s)) / 2)

    s = (update - warm_up) / (updates - warm_up) grows from 0 to just below 1 at the last of `updates`. After `updates`,
    s stays 1.

    Source: I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5,
    without restarts; P. Goyal et al., arXiv:1706.02677 (2017), for the linear warm-up.
    """

    def at(update: int) -> float:
        if update < warm_up:
            return _float32(rate * (update + 1) / (warm_up + 1))
        share = min((update - warm_up) / (updates - warm_up), 1.0)
        return _float32(rate * (final + (1 - final) * (0.5 + 0.5 * _cosine_of_pi(share))))

    return at


def schedule_of(training: TrainingConfig) -> Schedule:
    """Return the schedule of `training`. The schedule "step" has ten rates, down to `final_rate`.

    After `schedule_updates` updates, if that setting is given, the rate no longer changes.
    """
    name, rate = training.schedule, training.learning_rate
    updates = max(training.schedule_updates or training.updates, 1)
    schedule = _schedule(training, name, rate, updates)
    if updates >= training.updates:
        return schedule
    return lambda update: schedule(min(update, updates - 1))


def _schedule(training: TrainingConfig, name: str, rate: float, updates: int) -> Schedule:
    """Return the schedule `name` for a training of `updates` updates."""
    if name == "constant":
        return constant(rate)
    if name == "cosine":
        return cosine(rate, updates=updates, warm_up=min(training.warm_up, updates - 1), final=training.final_rate)
    final = max(training.final_rate, SMALLEST_FINAL_RATE)
    if name == "exponential":
        return exponential(rate, updates=updates, final=final)
    return step(rate, every=-(-updates // STEP_COUNT), factor=_root(final, STEP_COUNT - 1))


def _float32(rate: float) -> float:
    return float(np.float32(rate))


def _power(base: float, exponent: int) -> float:
    """Return base^exponent, computed by repeated squaring."""
    result = 1.0
    while exponent:
        if exponent & 1:
            result *= base
        base *= base
        exponent >>= 1
    return result


def _root(x: float, n: int) -> float:
    """Return the nth root of x in (0, 1], found by bisection: the largest number whose nth power is not above x."""
    low, high = 0.0, 1.0
    if _power(high, n) <= x:
        return high
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _power(middle, n) <= x else (low, middle)
    return low


def _cosine_of_pi(share: float) -> float:
    """Return cos(pi * share) for a share from 0 to 1. For shares above 1/2 use cos(pi - x) = -cos x."""
    if share > 0.5:
        return -_cosine_of_pi(1 - share)
    square = (math.pi * share) * (math.pi * share)
    total = 0.0
    for coefficient in reversed(_COSINE):
        total = total * square + coefficient
    return total

"""Schedules: functions from the number of updates already done (0, 1, …) to the learning rate of the next one.

Rates are rounded to float32, so that float32 and float64 engines take the same steps, and computed by + - * / alone,
so that they are the same bits on every machine: powers by repeated squaring, the cosine by its series.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from recurra.config import TrainingConfig

Schedule = Callable[[int], float]
STAIRS: Final = 10  # of the schedule "step" in a training
SMALLEST_SHARE: Final = 1e-6  # of the rate that a falling schedule ends at

# 1 / (2n)! with alternating signs: the series of cos x in x^2, to 1e-19 at x = pi / 2.
_COSINE: Final = tuple((-1) ** n / math.factorial(2 * n) for n in range(13))


def constant(rate: float) -> Schedule:
    """The same rate at every update."""
    rounded = _float32(rate)
    return lambda update: rounded  # noqa: ARG005 - a schedule's signature


def step(rate: float, *, every: int, factor: float) -> Schedule:
    """rate * factor^floor(update / every): a drop after each `every` updates."""
    return lambda update: _float32(rate * _power(factor, update // every))


def exponential(rate: float, *, updates: int, final: float) -> Schedule:
    """rate * final^(update / updates): the same factor at every update, `final` of the rate after `updates`."""
    factor = _root(final, updates)
    return lambda update: _float32(rate * _power(factor, update))


def cosine(rate: float, *, updates: int, warm_up: int, final: float) -> Schedule:
    """A straight line up to the rate in `warm_up` updates, then half a cosine down to `final` of it.

        update < warm_up:   rate * (update + 1) / (warm_up + 1)
        then:               rate * (final + (1 - final) * (1 + cos(pi s)) / 2)

    with s = (update - warm_up) / (updates - warm_up), from 0 to just below 1 at the last of `updates`; after that 1.
    Source: I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5,
    one cycle of it; the line is that of P. Goyal et al., arXiv:1706.02677 (2017).
    """

    def at(update: int) -> float:
        if update < warm_up:
            return _float32(rate * (update + 1) / (warm_up + 1))
        share = min((update - warm_up) / (updates - warm_up), 1.0)
        return _float32(rate * (final + (1 - final) * (0.5 + 0.5 * _cosine_of_pi(share))))

    return at


def schedule_of(training: TrainingConfig) -> Schedule:
    """Return the schedule that a training's settings name; step drops to `final_rate` in ten steps.

    After `schedule_updates` updates, if that is given, the rate stays as it was at the last of them.
    """
    name, rate = training.schedule, training.learning_rate
    updates = max(training.schedule_updates or training.updates, 1)
    schedule = _schedule(training, name, rate, updates)
    if updates >= training.updates:
        return schedule
    return lambda update: schedule(min(update, updates - 1))


def _schedule(training: TrainingConfig, name: str, rate: float, updates: int) -> Schedule:
    """Return the schedule `name` over so many updates."""
    if name == "constant":
        return constant(rate)
    if name == "cosine":
        return cosine(rate, updates=updates, warm_up=min(training.warm_up, updates - 1), final=training.final_rate)
    final = max(training.final_rate, SMALLEST_SHARE)
    if name == "exponential":
        return exponential(rate, updates=updates, final=final)
    return step(rate, every=-(-updates // STAIRS), factor=_root(final, STAIRS - 1))


def _float32(rate: float) -> float:
    return float(np.float32(rate))


def _power(base: float, exponent: int) -> float:
    """base^exponent by repeated squaring."""
    result = 1.0
    while exponent:
        if exponent & 1:
            result *= base
        base *= base
        exponent >>= 1
    return result


def _root(x: float, n: int) -> float:
    """The nth root of x in (0, 1]: the largest number whose nth power is not above x, by bisection."""
    low, high = 0.0, 1.0
    if _power(high, n) <= x:
        return high
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _power(middle, n) <= x else (low, middle)
    return low


def _cosine_of_pi(share: float) -> float:
    """cos(pi * share) for a share from 0 to 1; the second half is the first one mirrored."""
    if share > 0.5:
        return -_cosine_of_pi(1 - share)
    square = (math.pi * share) * (math.pi * share)
    total = 0.0
    for coefficient in reversed(_COSINE):
        total = total * square + coefficient
    return total

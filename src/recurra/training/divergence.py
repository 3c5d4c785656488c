"""Detect a training that is worse than no training, and propose a learning rate."""

from __future__ import annotations

import math
from typing import Final

from recurra.config import TrainingConfig

TOLERANCE: Final = 1.05  # times ln K, where every training begins, a loss is still no divergence
SETTLED: Final = 1000  # updates, after which a training at a usual rate has learned something
USUAL_RATES: Final = {  # for losses that are sums over an update's characters
    "sgd": 1e-3,
    "momentum": 1e-4,
    "nesterov": 1e-4,
    "adagrad": 0.1,
    "rmsprop": 1e-3,
    "adam": 2e-3,
    "adamw": 2e-3,
}


def rate_to_try(training: TrainingConfig) -> float:
    """Return the usual rate of the optimizer, or half of the training's own if that is lower."""
    return min(USUAL_RATES[training.optimizer], training.learning_rate / 2)


def has_diverged(training: TrainingConfig, updates: int, nats_per_character: float, symbols: int) -> bool:
    """Return True if the last losses are clearly above ln K, those of a guess that gives K symbols equal probability.

    At a usual rate the loss may rise in the first updates and fall soon after: that is no divergence.
    """
    settled = updates >= SETTLED or training.learning_rate > 2 * USUAL_RATES[training.optimizer]
    return settled and nats_per_character > TOLERANCE * math.log(symbols)

"""Detect a training whose loss rose above the loss of an untrained network, and propose a learning rate."""

from __future__ import annotations

import math
from typing import Final

from recurra.config import TrainingConfig

DIVERGENCE_FACTOR: Final = 1.05  # a loss above 1.05 ln K means divergence; an untrained network has a loss of ln K
SETTLED_UPDATES: Final = 1000  # after so many updates at a usual rate, the loss is below ln K
USUAL_RATES: Final = {  # for a loss that is the sum over the characters of an update
    "sgd": 1e-3,
    "momentum": 1e-4,
    "nesterov": 1e-4,
    "adagrad": 0.1,
    "rmsprop": 1e-3,
    "adam": 2e-3,
    "adamw": 2e-3,
}


def rate_to_try(training: TrainingConfig) -> float:
    """Return the usual learning rate of the optimizer, or half of the training's rate if that is lower."""
    return min(USUAL_RATES[training.optimizer], training.learning_rate / 2)


def has_diverged(training: TrainingConfig, updates: int, nats_per_character: float, symbols: int) -> bool:
    """Return True if the last losses are clearly above ln K, the loss if all K symbols are equally probable.

    At a usual learning rate the loss may rise in the first updates and then fall. This is not a divergence.
    """
    settled = updates >= SETTLED_UPDATES or training.learning_rate > 2 * USUAL_RATES[training.optimizer]
    return settled and nats_per_character > DIVERGENCE_FACTOR * math.log(symbols)

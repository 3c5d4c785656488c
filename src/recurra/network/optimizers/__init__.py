"""Optimizers as pairs of pure functions, with clipping, schedules, averages and the search for NaN and infinity.

An optimizer is data: `init(parameters)` gives its state, a flat dict of arrays that a checkpoint can hold,
and `update(parameters, gradients, state, rate)` gives new parameters and a new state without touching the
old ones. Both keep the dtype of the parameters; gradients of no parameter, such as the state's, are ignored.
Hyper-parameters are keyword arguments of `update`, with the names and defaults of `config.HYPERPARAMETERS`.
Nothing here calls libm: +, -, *, / and square roots are rounded alike on every machine.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

from recurra.network.optimizers.adaptive import (
    ADAGRAD_EPSILON,
    adagrad_init,
    adagrad_update,
    adam_init,
    adam_update,
    adamw_update,
    rmsprop_update,
)
from recurra.network.optimizers.averaging import add_averaging, average_of
from recurra.network.optimizers.clipping import clip_by_norm, clip_by_value, global_norm
from recurra.network.optimizers.descent import (
    Optimizer,
    OptimizerState,
    momentum_init,
    momentum_update,
    nesterov_update,
    sgd_init,
    sgd_update,
)
from recurra.network.optimizers.finiteness import magnitude, not_finite, require_finite
from recurra.network.optimizers.schedules import Schedule, schedule_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recurra.config import TrainingConfig

__all__ = [
    "ADAGRAD_EPSILON", "OPTIMIZERS", "Optimizer", "OptimizerState", "Schedule", "adagrad_init", "adagrad_update",
    "adam_init", "adam_update", "adamw_update", "add_averaging", "average_of", "clip_by_norm", "clip_by_value",
    "global_norm", "magnitude", "momentum_init", "momentum_update", "nesterov_update", "not_finite", "optimizer_of",
    "require_finite", "rmsprop_update", "schedule_of", "sgd_init", "sgd_update",
]  # fmt: skip

OPTIMIZERS: Final[dict[str, Optimizer]] = {
    "sgd": Optimizer(sgd_init, sgd_update),
    "momentum": Optimizer(momentum_init, momentum_update),
    "nesterov": Optimizer(momentum_init, nesterov_update),
    "adagrad": Optimizer(adagrad_init, adagrad_update),
    "rmsprop": Optimizer(adagrad_init, rmsprop_update),
    "adam": Optimizer(adam_init, adam_update),
    "adamw": Optimizer(adam_init, adamw_update),
}


def optimizer_of(training: TrainingConfig, registry: Mapping[str, Optimizer] = OPTIMIZERS) -> Optimizer:
    """Return the optimizer of `registry` that a training names, with its hyper-parameters and its moving average."""
    init, update = registry[training.optimizer]
    optimizer = Optimizer(init, functools.partial(update, **training.hyperparameters))
    return add_averaging(optimizer, training.ema) if training.ema else optimizer

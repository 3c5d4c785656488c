"""Optimisers as pairs of pure functions, with clipping, schedules, averages and the search for NaN and infinity.

An optimiser is data: `init(parameters)` gives its state, a flat dict of arrays that a checkpoint can hold,
and `update(parameters, gradients, state, rate)` gives new parameters and a new state without touching the
old ones. Both keep the dtype of the parameters; gradients of no parameter, such as the state's, are ignored.
Hyper-parameters are keyword arguments of `update`, with defaults. Nothing here calls libm: +, -, *, / and square
roots are rounded alike on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from recurra.network.optimizers.adaptive import (
    ADAGRAD_EPSILON,
    adagrad_init,
    adagrad_update,
    adam_init,
    adam_update,
    adamw_update,
    rmsprop_update,
)
from recurra.network.optimizers.averaging import average, average_init, average_update
from recurra.network.optimizers.clipping import clip_by_norm, clip_by_value, global_norm
from recurra.network.optimizers.descent import (
    OptimizerState,
    momentum_init,
    momentum_update,
    nesterov_update,
    sgd_init,
    sgd_update,
)
from recurra.network.optimizers.finiteness import not_finite, require_finite
from recurra.network.optimizers.schedules import (
    SCHEDULES,
    Schedule,
    constant,
    cosine,
    exponential,
    schedule,
    schedule_of,
    step,
)
from recurra.network.parameters import Parameters

__all__ = [
    "ADAGRAD_EPSILON", "OPTIMIZERS", "SCHEDULES", "Optimizer", "OptimizerState", "Schedule", "adagrad_init",
    "adagrad_update", "adam_init", "adam_update", "adamw_update", "average", "average_init", "average_update",
    "clip_by_norm", "clip_by_value", "constant", "cosine", "exponential", "global_norm", "momentum_init",
    "momentum_update", "nesterov_update", "not_finite", "require_finite", "rmsprop_update",
    "schedule", "schedule_of", "sgd_init", "sgd_update", "step",
]  # fmt: skip


class Optimizer(NamedTuple):
    """An optimiser's two functions; `update` also takes the hyper-parameters by name."""

    init: Callable[[Parameters], OptimizerState]
    update: Callable[..., tuple[OptimizerState, OptimizerState]]


OPTIMIZERS: Final[dict[str, Optimizer]] = {
    "sgd": Optimizer(sgd_init, sgd_update),
    "momentum": Optimizer(momentum_init, momentum_update),
    "nesterov": Optimizer(momentum_init, nesterov_update),
    "adagrad": Optimizer(adagrad_init, adagrad_update),
    "rmsprop": Optimizer(adagrad_init, rmsprop_update),
    "adam": Optimizer(adam_init, adam_update),
    "adamw": Optimizer(adam_init, adamw_update),
}

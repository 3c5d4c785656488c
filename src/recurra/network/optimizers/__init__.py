"""The optimizers as pairs of pure functions, and the other parts of an update: clipping, schedules, averaging.

    pure_optimizer   the interface of every optimizer
    descent          SGD, momentum, Nesterov momentum
    adaptive_rates   AdaGrad, RMSprop, Adam, AdamW
    averaging        the moving average of the parameters
    clipping         clip gradients by value or by norm
    finiteness       find NaN and infinity
    schedules        the learning rate of each update

`PURE_OPTIMIZERS` is the registry. An optimizer state is a flat dict of arrays, which a checkpoint can store. It has the
dtype of the parameters. An update ignores gradients that belong to no parameter, such as "state.h". Hyper-parameters
are keyword arguments of `update`, with the names and defaults of `config.HYPERPARAMETERS`.

The code uses only +, -, *, / and square roots, which every machine rounds alike, and no function of libm. In the
compiled engine, `engines.in_place_optimizers` computes the same float32 bits in place.

Letters in the equations: theta is a parameter, g its gradient, and `<-` replaces the value on the left. All operations
are element by element.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

from recurra.network.optimizers.adaptive_rates import (
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
    momentum_init,
    momentum_update,
    nesterov_update,
    sgd_init,
    sgd_update,
)
from recurra.network.optimizers.finiteness import magnitude, not_finite, require_finite
from recurra.network.optimizers.pure_optimizer import OptimizerState, PureOptimizer
from recurra.network.optimizers.schedules import Schedule, schedule_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recurra.config import TrainingConfig

__all__ = [
    "ADAGRAD_EPSILON", "PURE_OPTIMIZERS", "OptimizerState", "PureOptimizer", "Schedule", "adagrad_init",
    "adagrad_update", "adam_init", "adam_update", "adamw_update", "add_averaging", "average_of", "clip_by_norm",
    "clip_by_value", "global_norm", "magnitude", "momentum_init", "momentum_update", "nesterov_update", "not_finite",
    "optimizer_of", "require_finite", "rmsprop_update", "schedule_of", "sgd_init", "sgd_update",
]  # fmt: skip

PURE_OPTIMIZERS: Final[dict[str, PureOptimizer]] = {
    "sgd": PureOptimizer(sgd_init, sgd_update),
    "momentum": PureOptimizer(momentum_init, momentum_update),
    "nesterov": PureOptimizer(momentum_init, nesterov_update),
    "adagrad": PureOptimizer(adagrad_init, adagrad_update),
    "rmsprop": PureOptimizer(adagrad_init, rmsprop_update),
    "adam": PureOptimizer(adam_init, adam_update),
    "adamw": PureOptimizer(adam_init, adamw_update),
}


def optimizer_of(training: TrainingConfig, registry: Mapping[str, PureOptimizer] = PURE_OPTIMIZERS) -> PureOptimizer:
    """Return the optimizer of `training`, with its hyper-parameters and, if `ema` is set, the moving average."""
    init, update = registry[training.optimizer]
    optimizer = PureOptimizer(init, functools.partial(update, **training.hyperparameters))
    return add_averaging(optimizer, training.ema) if training.ema else optimizer

"""The optimizers of the compiled engine. They overwrite the parameters and the optimizer state.

AdaGrad, Adam and AdamW have kernels; every other optimizer calls the pure optimizer and copies the result. In float32,
every optimizer except AdaGrad has the bits of `network.optimizers`. The results of AdaGrad differ by some units in the
last place, because its kernel computes 1 / √s by Newton's method. If s overflows, this root is NaN and not 0.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np

from recurra.config import TrainingConfig
from recurra.engines.kernels import optimizers as kernels
from recurra.engines.kernels.lanes import Vector
from recurra.network.optimizers import PURE_OPTIMIZERS, OptimizerState, PureOptimizer, adagrad_init, adam_init
from recurra.network.optimizers.adaptive_rates import (
    ADAGRAD_EPSILON,
    ADAM_BETA1,
    ADAM_BETA2,
    ADAM_EPSILON,
    ADAMW_WEIGHT_DECAY,
)
from recurra.network.optimizers.averaging import average_init, average_update, without_average
from recurra.network.optimizers.pure_optimizer import is_scalar
from recurra.network.parameters import Array, Parameters

Scalars = dict[str, Array]


class InPlaceOptimizer(NamedTuple):
    """An optimizer that overwrites its arguments and returns only the scalars of the new state.

    init(parameters)                             the state before the first update
    update(parameters, gradients, state, rate)   the new scalars of the state; hyper-parameters by name

    An update overwrites the parameters and the arrays `KIND.NAME` of the state. It does not overwrite the gradients and
    the scalars of the state: one step may consist of several calls, each for a part of the arrays, and every call needs
    the scalars from before the step.
    """

    init: Callable[[Parameters], OptimizerState]
    update: Callable[..., Scalars]


def copied(pure: PureOptimizer) -> InPlaceOptimizer:
    """Return an in-place optimizer that calls `pure` and copies the result into its arguments."""

    def update(
        parameters: Parameters, gradients: Parameters, state: OptimizerState, rate: float, **named: float
    ) -> Scalars:
        new_parameters, new_state = pure.update(parameters, gradients, state, rate, **named)
        for name, array in new_parameters.items():
            parameters[name][...] = array
        return _write(state, new_state)

    return InPlaceOptimizer(pure.init, update)


def adagrad_update(
    parameters: Parameters,
    gradients: Parameters,
    state: OptimizerState,
    rate: float,
    *,
    epsilon: float = ADAGRAD_EPSILON,
) -> Scalars:
    """Make the step of `adaptive_rates.adagrad_update` with a kernel, on arrays (1, n) with n a multiple of 16."""
    for name, theta in parameters.items():
        squares = state[f"squares.{name}"]
        kernels.adagrad_flat(theta, squares, gradients[name], np.float32(rate), np.float32(epsilon))
    return {}


def adamw_update(
    parameters: Parameters,
    gradients: Parameters,
    state: OptimizerState,
    rate: float,
    *,
    beta1: float = ADAM_BETA1,
    beta2: float = ADAM_BETA2,
    epsilon: float = ADAM_EPSILON,
    weight_decay: float = ADAMW_WEIGHT_DECAY,
) -> Scalars:
    """Make the step of `adaptive_rates.adamw_update` with a kernel, on arrays (1, n) with n a multiple of 16."""
    weights = float(state["mean_weight"][0]), float(state["squares_weight"][0])
    w1, w2, step, scale, betas = _adam_factors(*weights, float(rate), beta1, beta2)
    decay = np.float32(1 - rate * weight_decay)
    for name, theta in parameters.items():
        mean, squares = state[f"mean.{name}"], state[f"squares.{name}"]
        kernels.adamw(theta, mean, squares, gradients[name], decay, step, scale, betas, np.float32(epsilon))
    return {"mean_weight": w1.copy(), "squares_weight": w2.copy()}


def adam_update(
    parameters: Parameters, gradients: Parameters, state: OptimizerState, rate: float, **named: float
) -> Scalars:
    """Make the step of `adaptive_rates.adam_update` with a kernel: AdamW without decay."""
    return adamw_update(parameters, gradients, state, rate, weight_decay=0.0, **named)


IN_PLACE_OPTIMIZERS: Final[dict[str, InPlaceOptimizer]] = {
    name: copied(pure) for name, pure in PURE_OPTIMIZERS.items()
} | {
    "adagrad": InPlaceOptimizer(adagrad_init, adagrad_update),
    "adam": InPlaceOptimizer(adam_init, adam_update),
    "adamw": InPlaceOptimizer(adam_init, adamw_update),
}


def in_place_optimizer_of(training: TrainingConfig) -> InPlaceOptimizer:
    """Return the optimizer of `training`, with its hyper-parameters and, if `ema` is set, the moving average."""
    init, update = IN_PLACE_OPTIMIZERS[training.optimizer]
    optimizer = InPlaceOptimizer(init, functools.partial(update, **training.hyperparameters))
    return averaged_in_place(optimizer, training.ema) if training.ema else optimizer


def averaged_in_place(optimizer: InPlaceOptimizer, decay: float) -> InPlaceOptimizer:
    """Return an optimizer that also averages the parameters in place, as `averaging.add_averaging` does."""

    def init(parameters: Parameters) -> OptimizerState:
        return optimizer.init(parameters) | average_init(parameters)

    def update(
        parameters: Parameters, gradients: Parameters, state: OptimizerState, rate: float, **named: float
    ) -> Scalars:
        scalars = optimizer.update(parameters, gradients, without_average(state), rate, **named)
        return scalars | _write(state, average_update(parameters, state, decay))

    return InPlaceOptimizer(init, update)


def _write(state: OptimizerState, new: Mapping[str, Array]) -> Scalars:
    """Copy the arrays of the state `new` into `state`; return the scalars of `new`."""
    for name, array in new.items():
        if not is_scalar(name):
            state[name][...] = array
    return {name: array for name, array in new.items() if is_scalar(name)}


@functools.lru_cache(maxsize=1)
def _adam_factors(
    mean_weight: float, squares_weight: float, rate: float, beta1: float, beta2: float
) -> tuple[Array, Array, np.float32, np.float32, Vector]:
    """Return the new weights of both averages, and the arguments `step`, `scale` and `betas` of the kernel.

    All pieces of a step have the same factors.
    """
    w1 = beta1 * np.full(1, mean_weight, np.float32) + (1 - beta1)
    w2 = beta2 * np.full(1, squares_weight, np.float32) + (1 - beta2)
    betas = np.array([beta1, 1 - beta1, beta2, 1 - beta2], np.float32)
    return w1, w2, (rate / w1)[0], (1 / np.sqrt(w2))[0], betas

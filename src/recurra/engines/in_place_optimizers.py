"""The optimizers of the compiled engine, which overwrite the parameters and the state; the same bits in float32.

Adam and AdamW have kernels. For every other optimizer the pure one computes, and its result is copied.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np

from recurra.config import TrainingConfig
from recurra.engines.kernels import optimizers as kernels
from recurra.engines.kernels.lanes import Vector
from recurra.network.optimizers import PURE_OPTIMIZERS, OptimizerState, PureOptimizer, adam_init
from recurra.network.optimizers.adaptive_rates import ADAM_BETA1, ADAM_BETA2, ADAM_EPSILON, ADAMW_WEIGHT_DECAY
from recurra.network.optimizers.averaging import average_init, average_update, without_average
from recurra.network.optimizers.pure_optimizer import is_scalar
from recurra.network.parameters import Array, Parameters

Scalars = dict[str, Array]


class InPlaceOptimizer(NamedTuple):
    """An optimizer that writes its result into its arguments and returns only the scalars of the new state.

    init(parameters)                             the state before the first update
    update(parameters, gradients, state, rate)   the new scalars of the state; hyper-parameters by name

    An update overwrites the parameters and the arrays `KIND.NAME` of the state. It writes neither the gradients nor
    the scalars of the state: several updates of one step, each on a part of the arrays, begin with the same scalars.
    """

    init: Callable[[Parameters], OptimizerState]
    update: Callable[..., Scalars]


def copied(pure: PureOptimizer) -> InPlaceOptimizer:
    """Return a pure optimizer as one in place: copy its result into the arguments."""

    def update(
        parameters: Parameters, gradients: Parameters, state: OptimizerState, rate: float, **named: float
    ) -> Scalars:
        new_parameters, new_state = pure.update(parameters, gradients, state, rate, **named)
        for name, array in new_parameters.items():
            parameters[name][...] = array
        return _write(state, new_state)

    return InPlaceOptimizer(pure.init, update)


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
    """`adaptive_rates.adamw_update` in one pass of a kernel; arrays (1, n), n a multiple of 16."""
    w1 = beta1 * state["mean_weight"] + (1 - beta1)
    w2 = beta2 * state["squares_weight"] + (1 - beta2)
    kept, step, scale = np.float32(1 - rate * weight_decay), (rate / w1)[0], (1 / np.sqrt(w2))[0]
    for name, theta in parameters.items():
        own = (theta, state[f"mean.{name}"], state[f"squares.{name}"], gradients[name])
        kernels.adamw(*own, kept, step, scale, _betas(beta1, beta2), np.float32(epsilon))
    return {"mean_weight": w1, "squares_weight": w2}


def adam_update(
    parameters: Parameters, gradients: Parameters, state: OptimizerState, rate: float, **named: float
) -> Scalars:
    """`adaptive_rates.adam_update` as a kernel: no decay."""
    return adamw_update(parameters, gradients, state, rate, weight_decay=0.0, **named)


IN_PLACE_OPTIMIZERS: Final[dict[str, InPlaceOptimizer]] = {
    name: copied(pure) for name, pure in PURE_OPTIMIZERS.items()
} | {"adam": InPlaceOptimizer(adam_init, adam_update), "adamw": InPlaceOptimizer(adam_init, adamw_update)}


def in_place_optimizer_of(training: TrainingConfig) -> InPlaceOptimizer:
    """Return the optimizer in place that a training names, with its hyper-parameters and its moving average."""
    init, update = IN_PLACE_OPTIMIZERS[training.optimizer]
    optimizer = InPlaceOptimizer(init, functools.partial(update, **training.hyperparameters))
    return averaged_in_place(optimizer, training.ema) if training.ema else optimizer


def averaged_in_place(optimizer: InPlaceOptimizer, decay: float) -> InPlaceOptimizer:
    """Return `optimizer` with the moving average of the parameters in its state, as `averaging.averaged` has it."""

    def init(parameters: Parameters) -> OptimizerState:
        return optimizer.init(parameters) | average_init(parameters)

    def update(
        parameters: Parameters, gradients: Parameters, state: OptimizerState, rate: float, **named: float
    ) -> Scalars:
        scalars = optimizer.update(parameters, gradients, without_average(state), rate, **named)
        return scalars | _write(state, average_update(parameters, state, decay))

    return InPlaceOptimizer(init, update)


def _write(state: OptimizerState, new: Mapping[str, Array]) -> Scalars:
    """Copy the arrays of a new state into `state`, and return its scalars."""
    for name, array in new.items():
        if not is_scalar(name):
            state[name][...] = array
    return {name: array for name, array in new.items() if is_scalar(name)}


@functools.lru_cache
def _betas(beta1: float, beta2: float) -> Vector:
    """Return beta1, 1 - beta1, beta2 and 1 - beta2 as the kernel takes them."""
    return np.array([beta1, 1 - beta1, beta2, 1 - beta2], np.float32)

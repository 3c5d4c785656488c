"""The exponential moving average of the parameters, which the optimizer state stores."""

from __future__ import annotations

from typing import Final

import numpy as np

from recurra.network.optimizers.pure_optimizer import OptimizerState, PureOptimizer
from recurra.network.parameters import Array, Parameters

SUM: Final = "average."
WEIGHT: Final = "average_weight"


def add_averaging(optimizer: PureOptimizer, decay: float) -> PureOptimizer:
    """Return an optimizer that makes the updates of `optimizer` and also averages the parameters after each update.

        a <- decay * a + (1 - decay) * theta        w <- decay * w + (1 - decay)        w = 1 - decay^t

    The average is a / w; `average_of` returns it. The state stores a as `average.NAME` for each parameter, and w as
    `average_weight`, (1,).

    Source: B. T. Polyak, A. B. Juditsky, "Acceleration of stochastic approximation by averaging", SIAM Journal on
    Control and Optimization 30 (1992) 838-855, here with exponential weights and the bias correction w of Adam.

    Differences: most libraries start a at the initial parameters, which therefore remain part of the average.
    TensorFlow and many diffusion models increase the decay gradually instead: min(decay, (1 + t) / (10 + t)).
    """

    def init(parameters: Parameters) -> OptimizerState:
        return optimizer.init(parameters) | average_init(parameters)

    def update(
        parameters: Parameters, gradients: Parameters, state: OptimizerState, rate: float, **named: float
    ) -> tuple[dict[str, Array], OptimizerState]:
        parameters, new_state = optimizer.update(parameters, gradients, without_average(state), rate, **named)
        return parameters, new_state | average_update(parameters, state, decay)

    return PureOptimizer(init, update)


def average_init(parameters: Parameters) -> OptimizerState:
    """Return the entries of the state for the average, before the first update: zeros."""
    dtype = next(iter(parameters.values())).dtype
    return {SUM + name: np.zeros_like(array) for name, array in parameters.items()} | {WEIGHT: np.zeros(1, dtype)}


def without_average(state: OptimizerState) -> OptimizerState:
    """Return the state without the entries for the average."""
    return {name: array for name, array in state.items() if not name.startswith((SUM, WEIGHT))}


def average_update(parameters: Parameters, state: OptimizerState, decay: float) -> OptimizerState:
    """Return the entries of the state for the average, after an update whose result is `parameters`."""
    sums = {SUM + name: _blend(state[SUM + name], theta, decay) for name, theta in parameters.items()}
    return sums | {WEIGHT: _blend(state[WEIGHT], 1.0, decay)}


def average_of(state: OptimizerState) -> dict[str, Array] | None:
    """Return the averaged parameters by name; None if the state has no average, or before the first update."""
    weight = state.get(WEIGHT)
    if weight is None or not weight[0] > 0:
        return None
    return {name.removeprefix(SUM): total / weight for name, total in state.items() if name.startswith(SUM)}


def _blend(old: Array, new: Array | float, decay: float) -> Array:
    return decay * old + (1 - decay) * new

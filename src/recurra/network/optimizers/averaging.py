"""The moving average of the parameters, a second set of them that swings less: init and update, as an optimiser."""

from __future__ import annotations

import numpy as np

from recurra.errors import UsageError
from recurra.network.optimizers.descent import OptimizerState
from recurra.network.parameters import Array, Parameters


def average_init(parameters: Parameters) -> OptimizerState:
    """`sum.NAME` for each parameter, zeros of its shape, and the `weight` of the sums, (1,)."""
    dtype = next(iter(parameters.values())).dtype
    return {f"sum.{name}": np.zeros_like(array) for name, array in parameters.items()} | {"weight": np.zeros(1, dtype)}


def average_update(parameters: Parameters, state: OptimizerState, *, decay: float = 0.999) -> OptimizerState:
    """The state after the parameters of one more update.

    a <- decay * a + (1 - decay) * theta        w <- decay * w + (1 - decay)        w = 1 - decay^t
    """
    sums = {f"sum.{name}": _blend(state[f"sum.{name}"], theta, decay) for name, theta in parameters.items()}
    return sums | {"weight": _blend(state["weight"], 1.0, decay)}


def average(state: OptimizerState) -> dict[str, Array]:
    """The averaged parameters, a / w: the mean of all parameters since the start, with weights decay^age.

    Source: B. T. Polyak, A. B. Juditsky, "Acceleration of stochastic approximation by averaging", SIAM Journal on
    Control and Optimization 30 (1992) 838-855, with the exponential weights and the correction w of Adam. Others
    differ: most start a at the initial parameters, which then stay in it; TensorFlow and EMA in diffusion models warm
    decay up instead, min(decay, (1 + t) / (10 + t)).
    """
    weight = state["weight"]
    if not weight[0] > 0:
        raise UsageError("the average holds no parameters yet; it must be updated at least once.")
    return {name.removeprefix("sum."): total / weight for name, total in state.items() if name != "weight"}


def _blend(old: Array, new: Array | float, decay: float) -> Array:
    return decay * old + (1 - decay) * new

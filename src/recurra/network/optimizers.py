"""Optimisers as pairs of pure functions, clipping, schedules, and the search for NaN and infinity.

An optimiser is data: `init(parameters)` gives its state, a flat dict of arrays that a checkpoint can hold,
and `update(parameters, gradients, state, rate)` gives new parameters and a new state without touching the
old ones. Both keep the dtype of the parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from recurra.errors import NumericalError
from recurra.network.parameters import Array, Parameters

OptimizerState = dict[str, Array]
Schedule = Callable[[int], float]

ADAGRAD_EPSILON: Final = 1e-8


class Optimizer(NamedTuple):
    """An optimiser's two functions."""

    init: Callable[[Parameters], OptimizerState]
    update: Callable[[Parameters, Parameters, OptimizerState, float], tuple[dict[str, Array], OptimizerState]]


def adagrad_init(parameters: Parameters) -> OptimizerState:
    """`squares.NAME` for each parameter: zeros of its shape."""
    return {f"squares.{name}": np.zeros_like(array) for name, array in parameters.items()}


def adagrad_update(
    parameters: Parameters, gradients: Parameters, state: OptimizerState, rate: float
) -> tuple[dict[str, Array], OptimizerState]:
    """One step of AdaGrad at learning rate `rate`.

        s <- s + g * g
        theta <- theta - rate * g / sqrt(s + 1e-8)

    Source: J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization", JMLR 12 (2011) 2121-2159. Others differ: the paper and PyTorch add epsilon after the root
    (PyTorch 1e-10), TensorFlow starts s at 0.1. Gradients of no parameter, such as the state's, are ignored.
    """
    new_parameters, new_state = {}, {}
    for name, theta in parameters.items():
        g = gradients[name]
        s = state[f"squares.{name}"] + g * g
        new_parameters[name] = theta - rate * g / np.sqrt(s + ADAGRAD_EPSILON)
        new_state[f"squares.{name}"] = s
    return new_parameters, new_state


OPTIMIZERS: Final[dict[str, Optimizer]] = {"adagrad": Optimizer(adagrad_init, adagrad_update)}


def constant(rate: float) -> Schedule:
    """The schedule update -> rate that is the same at every update.

    Rates are rounded to float32, so that float32 and float64 engines take the same steps.
    """
    rounded = float(np.float32(rate))
    return lambda update: rounded  # noqa: ARG005 - a schedule's signature


def clip_by_value(gradients: Parameters, limit: float) -> dict[str, Array]:
    """Every element brought into [-limit, limit]. It hides infinity: search with `require_finite` first."""
    return {name: np.clip(g, -limit, limit) for name, g in gradients.items()}


def global_norm(gradients: Parameters) -> float:
    """The square root of the sum of squares over all elements of all the arrays, in float64."""
    return float(np.sqrt(sum(float(np.sum(np.square(g, dtype=np.float64))) for g in gradients.values())))


def require_finite(loss: float, gradients: Parameters, update: int) -> None:
    """Raise `NumericalError` if the loss or a gradient of `update` (counted from 1) is NaN or infinite."""
    tensors: dict[str, Array] = {"loss": np.asarray(loss), **gradients}
    for name, array in tensors.items():
        if not np.isfinite(array).all():
            raise not_finite(name, str(array[~np.isfinite(array)].flat[0]), update)


def not_finite(tensor: str, value: str, update: int) -> NumericalError:
    """The error for the loss, or the gradient of `tensor`, that became `value` at `update` (counted from 1)."""
    what = "the loss" if tensor == "loss" else f"the gradient of `{tensor}`"
    return NumericalError(
        f"{what} became {value} at update {update}; it must be finite.",
        update=update,
        tensor=tensor,
        hint="train again with a lower `--learning-rate`, or a lower `--clip-value`.",
    )

"""Optimizers that follow the gradient or a running sum of it: SGD, momentum, Nesterov momentum."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from recurra.network.parameters import Array, Parameters

OptimizerState = dict[str, Array]


class Optimizer(NamedTuple):
    """An optimizer's two functions; `update` also takes the hyper-parameters by name."""

    init: Callable[[Parameters], OptimizerState]
    update: Callable[..., tuple[dict[str, Array], OptimizerState]]


def sgd_init(parameters: Parameters) -> OptimizerState:  # noqa: ARG001 - an optimizer's signature
    """Nothing: SGD has no memory."""
    return {}


def sgd_update(
    parameters: Parameters,
    gradients: Parameters,
    state: OptimizerState,  # noqa: ARG001 - an optimizer's signature
    rate: float,
) -> tuple[dict[str, Array], OptimizerState]:
    """One step of stochastic gradient descent at learning rate `rate`.

        theta <- theta - rate * g

    Source: H. Robbins, S. Monro, "A stochastic approximation method", Annals of Mathematical Statistics 22 (1951)
    400-407.
    """
    return {name: theta - rate * gradients[name] for name, theta in parameters.items()}, {}


def momentum_init(parameters: Parameters) -> OptimizerState:
    """`velocity.NAME` for each parameter: zeros of its shape."""
    return {f"velocity.{name}": np.zeros_like(array) for name, array in parameters.items()}


def momentum_update(
    parameters: Parameters, gradients: Parameters, state: OptimizerState, rate: float, *, momentum: float = 0.9
) -> tuple[dict[str, Array], OptimizerState]:
    """One step of the heavy ball at learning rate `rate`.

        v <- momentum * v + g
        theta <- theta - rate * v

    Source: B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Computational
    Mathematics and Mathematical Physics 4 (1964) 1-17. Others differ: I. Sutskever et al. (ICML 2013) and Keras keep
    v <- momentum * v - rate * g, another path wherever the rate changes; PyTorch is as here, without its `dampening`.
    """
    new_parameters, new_state = {}, {}
    for name, theta in parameters.items():
        v = momentum * state[f"velocity.{name}"] + gradients[name]
        new_parameters[name] = theta - rate * v
        new_state[f"velocity.{name}"] = v
    return new_parameters, new_state


def nesterov_update(
    parameters: Parameters, gradients: Parameters, state: OptimizerState, rate: float, *, momentum: float = 0.9
) -> tuple[dict[str, Array], OptimizerState]:
    """One step of Nesterov's momentum at learning rate `rate`; its state is that of `momentum_init`.

        v <- momentum * v + g
        theta <- theta - rate * (g + momentum * v)

    Source: Y. Nesterov, "A method of solving a convex programming problem with convergence rate O(1/k^2)", Soviet
    Mathematics Doklady 27 (1983) 372-376, in the form of Y. Bengio, N. Boulanger-Lewandowski, R. Pascanu, "Advances in
    optimizing recurrent networks", ICASSP 2013: theta is the point ahead, where the gradient is taken. Others differ:
    Nesterov's momentum changes from step to step; PyTorch is as here.
    """
    new_parameters, new_state = {}, {}
    for name, theta in parameters.items():
        g = gradients[name]
        v = momentum * state[f"velocity.{name}"] + g
        new_parameters[name] = theta - rate * (g + momentum * v)
        new_state[f"velocity.{name}"] = v
    return new_parameters, new_state

"""Optimizers that step along the gradient or a decaying sum of past gradients: SGD, momentum, Nesterov momentum."""

from __future__ import annotations

import numpy as np

from recurra.network.optimizers.pure_optimizer import OptimizerState
from recurra.network.parameters import Array, Parameters


def sgd_init(parameters: Parameters) -> OptimizerState:  # noqa: ARG001 - an optimizer's signature
    """Return an empty state: SGD needs none."""
    return {}


def sgd_update(
    parameters: Parameters,
    gradients: Parameters,
    state: OptimizerState,  # noqa: ARG001 - an optimizer's signature
    rate: float,
) -> tuple[dict[str, Array], OptimizerState]:
    """Make one step of stochastic gradient descent.

        theta <- theta - rate * g

    Source: H. Robbins, S. Monro, "A stochastic approximation method", Annals of Mathematical Statistics 22 (1951)
    400-407.
    """
    return {name: theta - rate * gradients[name] for name, theta in parameters.items()}, {}


def momentum_init(parameters: Parameters) -> OptimizerState:
    """Return the state before the first update: zeros `velocity.NAME` for each parameter."""
    return {f"velocity.{name}": np.zeros_like(array) for name, array in parameters.items()}


def momentum_update(
    parameters: Parameters, gradients: Parameters, state: OptimizerState, rate: float, *, momentum: float = 0.9
) -> tuple[dict[str, Array], OptimizerState]:
    """Make one step of momentum (the "heavy ball"). v is the velocity.

        v <- momentum * v + g
        theta <- theta - rate * v

    Source: B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Computational
    Mathematics and Mathematical Physics 4 (1964) 1-17.

    Differences: I. Sutskever et al. (ICML 2013) and Keras store v <- momentum * v - rate * g, with another result if
    the rate changes. PyTorch has the same equations if its `dampening` is 0.
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
    """Make one step of Nesterov's momentum. The state comes from `momentum_init`.

        v <- momentum * v + g
        theta <- theta - rate * (g + momentum * v)

    Source: Y. Nesterov, "A method of solving a convex programming problem with convergence rate O(1/k^2)", Soviet
    Mathematics Doklady 27 (1983) 372-376, in the form of Y. Bengio, N. Boulanger-Lewandowski, R. Pascanu, "Advances in
    optimizing recurrent networks", ICASSP 2013: theta is the look-ahead point, at which the gradient is computed.

    Differences: Nesterov's momentum changes from step to step. PyTorch has the same equations.
    """
    new_parameters, new_state = {}, {}
    for name, theta in parameters.items():
        g = gradients[name]
        v = momentum * state[f"velocity.{name}"] + g
        new_parameters[name] = theta - rate * (g + momentum * v)
        new_state[f"velocity.{name}"] = v
    return new_parameters, new_state

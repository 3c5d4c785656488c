"""Optimizers that divide each element's step by the size of its past gradients: AdaGrad, RMSprop, Adam, AdamW.

s is the sum or the moving average of the squared gradients, m the moving average of the gradients. The functions use
only + - * / and the argument `sqrt`, so that they also work on the arrays of another library, such as PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from recurra.network.optimizers.pure_optimizer import OptimizerState
from recurra.network.parameters import Array, Parameters

ADAGRAD_EPSILON: Final = 1e-8
ADAM_BETA1: Final = 0.9
ADAM_BETA2: Final = 0.999
ADAM_EPSILON: Final = 1e-8
ADAMW_WEIGHT_DECAY: Final = 0.01
Sqrt = Callable[[Any], Any]


def adagrad_init(parameters: Parameters) -> OptimizerState:
    """Return the state before the first update: zeros `squares.NAME` for each parameter."""
    return {f"squares.{name}": np.zeros_like(array) for name, array in parameters.items()}


def adagrad_update(
    parameters: Parameters,
    gradients: Parameters,
    state: OptimizerState,
    rate: float,
    *,
    epsilon: float = ADAGRAD_EPSILON,
    sqrt: Sqrt = np.sqrt,
) -> tuple[dict[str, Array], OptimizerState]:
    """Make one step of AdaGrad.

        s <- s + g * g
        theta <- theta - rate * g / sqrt(s + epsilon)

    Source: J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization", JMLR 12 (2011) 2121-2159.

    Differences: the paper and PyTorch add epsilon (PyTorch 1e-10) to the square root. TensorFlow starts with s = 0.1.
    """
    new_parameters, new_state = {}, {}
    for name, theta in parameters.items():
        g = gradients[name]
        s = state[f"squares.{name}"] + g * g
        new_parameters[name] = theta - rate * g / sqrt(s + epsilon)
        new_state[f"squares.{name}"] = s
    return new_parameters, new_state


def rmsprop_update(
    parameters: Parameters,
    gradients: Parameters,
    state: OptimizerState,
    rate: float,
    *,
    beta2: float = 0.99,
    epsilon: float = 1e-8,
    sqrt: Sqrt = np.sqrt,
) -> tuple[dict[str, Array], OptimizerState]:
    """Make one step of RMSprop. The state comes from `adagrad_init`.

        s <- beta2 * s + (1 - beta2) * g * g
        theta <- theta - rate * g / (sqrt(s) + epsilon)

    Source: T. Tieleman, G. Hinton, "Lecture 6.5: RMSprop", Neural Networks for Machine Learning, Coursera 2012, with
    beta2 = 0.9 and without epsilon.

    Differences: TensorFlow and Optax add epsilon under the root. A. Graves (arXiv:1308.0850) subtracts the square of
    the mean gradient from s. PyTorch has the same equations.
    """
    new_parameters, new_state = {}, {}
    for name, theta in parameters.items():
        g = gradients[name]
        s = beta2 * state[f"squares.{name}"] + (1 - beta2) * (g * g)
        new_parameters[name] = theta - rate * g / (sqrt(s) + epsilon)
        new_state[f"squares.{name}"] = s
    return new_parameters, new_state


def adam_init(parameters: Parameters) -> OptimizerState:
    """Return the state before the first update.

    The state has zeros `mean.NAME` and `squares.NAME` for each parameter, and `mean_weight` and `squares_weight`, (1,)
    each.
    """
    means = {f"mean.{name}": np.zeros_like(array) for name, array in parameters.items()}
    dtype = next(iter(parameters.values())).dtype
    weights = {name: np.zeros(1, dtype) for name in ("mean_weight", "squares_weight")}
    return means | adagrad_init(parameters) | weights


def adam_update(
    parameters: Parameters,
    gradients: Parameters,
    state: OptimizerState,
    rate: float,
    *,
    beta1: float = ADAM_BETA1,
    beta2: float = ADAM_BETA2,
    epsilon: float = ADAM_EPSILON,
    sqrt: Sqrt = np.sqrt,
) -> tuple[dict[str, Array], OptimizerState]:
    """Make one step of Adam.

        m <- beta1 * m + (1 - beta1) * g            w1 <- beta1 * w1 + (1 - beta1)        w1 = 1 - beta1^t
        s <- beta2 * s + (1 - beta2) * g * g        w2 <- beta2 * w2 + (1 - beta2)        w2 = 1 - beta2^t
        theta <- theta - (rate / w1) * m / (sqrt(s) / sqrt(w2) + epsilon)

    m / w1 and s / w2 are the bias-corrected averages. The recurrence for w1 and w2 needs no powers beta^t. It rounds
    like the recurrence for m and s. Therefore m / w1 and s / w2 are accurate in float32 from the first update on,
    although 1 - beta2 loses four digits.

    Source: D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, arXiv:1412.6980, algorithm 1.

    Differences: PyTorch has the same equations. TensorFlow adds epsilon to sqrt(s) before the division by sqrt(w2).
    """
    options: dict[str, Any] = {"beta1": beta1, "beta2": beta2, "epsilon": epsilon, "sqrt": sqrt}
    return adamw_update(parameters, gradients, state, rate, weight_decay=0.0, **options)


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
    sqrt: Sqrt = np.sqrt,
) -> tuple[dict[str, Array], OptimizerState]:
    """Make one step of AdamW, which is Adam with decoupled weight decay. The state comes from `adam_init`.

        theta <- theta * (1 - rate * weight_decay) - (rate / w1) * m / (sqrt(s) / sqrt(w2) + epsilon)

    m, s, w1 and w2 are as in `adam_update`. Every parameter decays, biases too.

    Source: I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019, arXiv:1711.05101, algorithm 2.

    Differences: the paper multiplies the decay by the schedule's factor and not by the learning rate. PyTorch has the
    same equations.
    """
    w1 = beta1 * state["mean_weight"] + (1 - beta1)
    w2 = beta2 * state["squares_weight"] + (1 - beta2)
    step, scale = rate / w1, 1 / sqrt(w2)
    new_parameters, new_state = {}, {"mean_weight": w1, "squares_weight": w2}
    for name, theta in parameters.items():
        g = gradients[name]
        m = beta1 * state[f"mean.{name}"] + (1 - beta1) * g
        s = beta2 * state[f"squares.{name}"] + (1 - beta2) * (g * g)
        new_parameters[name] = theta * (1 - rate * weight_decay) - step * m / (sqrt(s) * scale + epsilon)
        new_state |= {f"mean.{name}": m, f"squares.{name}": s}
    return new_parameters, {name: new_state[name] for name in state}

"""Optimizers with a rate for each number, from the squares of its past gradients: AdaGrad, RMSprop, Adam, AdamW.

Their equations are + - * / and `sqrt`, so that with another library's root they hold for its arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from recurra.network.optimizers.pure_optimizer import OptimizerState
from recurra.network.parameters import Array, Parameters

ADAGRAD_EPSILON: Final = 1e-8
ADAM_BETA1: Final = 0.9  # of Adam
ADAM_BETA2: Final = 0.999
ADAM_EPSILON: Final = 1e-8
ADAMW_WEIGHT_DECAY: Final = 0.01  # of AdamW
Sqrt = Callable[[Any], Any]


def adagrad_init(parameters: Parameters) -> OptimizerState:
    """`squares.NAME` for each parameter: zeros of its shape."""
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
    """One step of AdaGrad at learning rate `rate`.

        s <- s + g * g
        theta <- theta - rate * g / sqrt(s + epsilon)

    Source: J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization", JMLR 12 (2011) 2121-2159. Others differ: the paper and PyTorch add epsilon after the root
    (PyTorch 1e-10), TensorFlow starts s at 0.1.
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
    """One step of RMSprop at learning rate `rate`; its state is that of `adagrad_init`.

        s <- beta2 * s + (1 - beta2) * g * g
        theta <- theta - rate * g / (sqrt(s) + epsilon)

    Source: T. Tieleman, G. Hinton, "Lecture 6.5: RMSprop", Neural Networks for Machine Learning, Coursera 2012, with
    beta2 0.9 and no epsilon. Others differ: TensorFlow and Optax add epsilon under the root, A. Graves
    (arXiv:1308.0850) subtracts the square of the mean gradient from s; PyTorch is as here.
    """
    new_parameters, new_state = {}, {}
    for name, theta in parameters.items():
        g = gradients[name]
        s = beta2 * state[f"squares.{name}"] + (1 - beta2) * (g * g)
        new_parameters[name] = theta - rate * g / (sqrt(s) + epsilon)
        new_state[f"squares.{name}"] = s
    return new_parameters, new_state


def adam_init(parameters: Parameters) -> OptimizerState:
    """`mean.NAME` and `squares.NAME` for each parameter, zeros of its shape, and the weights of both, (1,) each."""
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
    """One step of Adam at learning rate `rate`.

        m <- beta1 * m + (1 - beta1) * g            w1 <- beta1 * w1 + (1 - beta1)        w1 = 1 - beta1^t
        s <- beta2 * s + (1 - beta2) * g * g        w2 <- beta2 * w2 + (1 - beta2)        w2 = 1 - beta2^t
        theta <- theta - (rate / w1) * m / (sqrt(s) / sqrt(w2) + epsilon)

    The weights w of the averages run through the recurrence of the averages themselves: no power is taken, and in
    float32 m / w1 and s / w2 are right from the first update on, where 1 - beta2 loses four digits. Source:
    D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, arXiv:1412.6980, algorithm 1.
    PyTorch is as here; TensorFlow adds epsilon to sqrt(s), before s is divided.
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
    """One step of Adam with decoupled weight decay at learning rate `rate`; its state is that of `adam_init`.

        theta <- theta * (1 - rate * weight_decay) - (rate / w1) * m / (sqrt(s) / sqrt(w2) + epsilon)

    with m, s, w1 and w2 of `adam_update`. Source: I. Loshchilov, F. Hutter, "Decoupled weight decay regularization",
    ICLR 2019, arXiv:1711.05101, algorithm 2. Others differ: the paper multiplies the decay by the schedule alone and
    not by the rate; PyTorch is as here. Every parameter decays, biases too.
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

"""The output layer: projection, softmax, cross-entropy in nats, and their gradients.

o_t = V h_t + c                        V (K, H)   c (K,)
p_t = softmax(o_t)
L   = - sum_{t, b} log p_t[y_t]        a sum over the T time steps and B streams, not a mean
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping

Array = npt.NDArray[Any]
PADDING = -1  # the target of a time step without loss and gradient


def forward(parameters: Mapping[str, Array], h: Array) -> Array:
    """Return log p_t (T, B, K) for h (T, B, H).

    log softmax(o) = o - log sum exp(o) does not change if all o are shifted by the same number. The code subtracts the
    largest o, so that exp cannot overflow. It subtracts the real part only: the function stays analytic, as the
    complex-step gradient check requires.
    """
    V, c = parameters["V"], parameters["c"]
    o = h @ V.T + c
    o -= o.real.max(axis=-1, keepdims=True)
    log_p: Array = o - np.log(np.exp(o).sum(axis=-1, keepdims=True))
    return log_p


def losses(log_probabilities: Array, targets: Array) -> Array:
    """Return -log p_t[y_t] in nats (T, B), from log p (T, B, K) and ids y (T, B); 0 for padding (y_t < 0)."""
    return np.where(targets < 0, 0, -np.take_along_axis(log_probabilities, targets[..., np.newaxis], axis=-1)[..., 0])


def backward(
    parameters: Mapping[str, Array], h: Array, log_probabilities: Array, targets: Array
) -> tuple[dict[str, Array], Array]:
    """Return the gradients of V and c by name, and dh (T, B, H), the gradient of every h_t through the output layer.

        g_t   = dL/do_t = p_t - y_t    with y_t one-hot; 0 for padding
        dL/dV = sum_t g_t h_t^T        dL/dc = sum_t g_t        dh_t = V^T g_t

    Some texts print g_t with the opposite sign.
    """
    V = parameters["V"]
    y = targets[..., np.newaxis] == np.arange(V.shape[0])
    g = np.where(targets[..., np.newaxis] < 0, 0, np.exp(log_probabilities) - y)
    gradients = {"V": np.tensordot(g, h, axes=([0, 1], [0, 1])), "c": g.sum(axis=(0, 1))}
    return gradients, g @ V

"""The output layer: projection, softmax, cross-entropy in nats, and their gradients.

o_t = V h_t + c        V (K, H)   c (K,)
p_t = softmax(o_t)
L   = - sum_{t, b} log p_t[y_t]        a sum over the T steps and B streams, not a mean
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
    """log p_t (T, B, K), from h (T, B, H).

    log softmax(o) = o - log sum exp(o) holds for any shift of o; the shift by the largest o keeps exp from
    overflowing. It is by the real part, so that the function stays analytic and a complex step can pass.
    """
    V, c = parameters["V"], parameters["c"]
    o = h @ V.T + c
    o -= o.real.max(axis=-1, keepdims=True)
    log_p: Array = o - np.log(np.exp(o).sum(axis=-1, keepdims=True))
    return log_p


def losses(log_probabilities: Array, targets: Array) -> Array:
    """-log p_t[y_t] in nats (T, B), from log p (T, B, K) and ids y (T, B); 0 where y_t < 0, which is padding."""
    return np.where(targets < 0, 0, -np.take_along_axis(log_probabilities, targets[..., np.newaxis], axis=-1)[..., 0])


def backward(
    parameters: Mapping[str, Array], h: Array, log_probabilities: Array, targets: Array
) -> tuple[dict[str, Array], Array]:
    """The gradients of V and c, and dh = V^T g_t (T, B, H), from the values of the forward pass.

    g_t = dL/do_t = p_t - y_t, with y_t the one-hot target (some texts print the opposite sign); 0 at padding.

        dL/dV = sum_t g_t h_t^T        dL/dc = sum_t g_t
    """
    V = parameters["V"]
    y = targets[..., np.newaxis] == np.arange(V.shape[0])
    g = np.where(targets[..., np.newaxis] < 0, 0, np.exp(log_probabilities) - y)
    gradients = {"V": np.tensordot(g, h, axes=([0, 1], [0, 1])), "c": g.sum(axis=(0, 1))}
    return gradients, g @ V

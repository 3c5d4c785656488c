"""The Elman cell with rectified units in place of tanh.

a_t = W h_{t-1} + U x_t + b        U (H, D)   W (H, H)   b (H,)
h_t = max(0, a_t)

Source: Q. V. Le, N. Jaitly, G. E. Hinton, "A simple way to initialize recurrent networks of rectified linear
units", arXiv:1504.00941 (2015), whose start, W = 1, is what lets it learn over many steps. At the kink a = 0
the slope is taken to be 0, as in PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from recurra.network.cells import elman
from recurra.network.cells.elman import Cache, State, gates, shapes

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Cache", "State", "backward", "forward", "gates", "relu", "relu_slope", "shapes"]

Array = npt.NDArray[Any]


def relu(a: Array) -> Array:
    """max(0, a), by the real part where a is complex; NaN stays NaN."""
    return np.where(a.real <= 0, a.dtype.type(0), a)


def relu_slope(h: Array) -> Array:
    """f'(a) of f = relu, from h = f(a): 1 where h > 0, else 0."""
    return (h.real > 0).astype(h.dtype)


def forward(parameters: Mapping[str, Array], x: Array, state: State) -> tuple[Array, State, Cache]:
    """h_1 .. h_T (T, B, H), the final state h_T, and the cache, from x (T, B, D) and h_0 = state.h (B, H)."""
    return elman.forward(parameters, x, state, f=relu)


def backward(
    parameters: Mapping[str, Array], cache: Cache, dh: Array, dstate: State
) -> tuple[dict[str, Array], Array, State]:
    """The gradients of U, W and b, of x (T, B, D) and of h_0 (B, H): those of `elman.backward` with f' of relu."""
    return elman.backward(parameters, cache, dh, dstate, slope=relu_slope)

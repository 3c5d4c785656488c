"""The Elman cell, the plain recurrent network (J. L. Elman, "Finding structure in time", 1990).

a_t = W h_{t-1} + U x_t + b        U (H, D)   W (H, H)   b (H,)
h_t = f(a_t)                       f = tanh, or relu(a) = max(0, a)

Rectified units: Q. V. Le, N. Jaitly, G. E. Hinton, "A simple way to initialize recurrent networks of rectified linear
units", arXiv:1504.00941 (2015), whose initial W, the identity, lets such a network learn over many steps. At the kink
a = 0 the slope is taken to be 0, as in PyTorch.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recurra.network.cells.cell_spec import CellSpec, Equations, OnnxOperator, TorchModule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from recurra.config import ModelConfig

Array = npt.NDArray[Any]


class State(NamedTuple):
    """What time carries: the hidden units, (B, H) in a cell and (L, B, H) in a network."""

    h: Array


class Cache(NamedTuple):
    """What backward needs: the inputs x (T, B, D), h_0 (B, H) and h_1 .. h_T (T, B, H).

    h_t serves f' too, which is 1 - h_t^2 for tanh; a_t need not be kept.
    """

    x: Array
    h0: Array
    h: Array


def shapes(inputs: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """The cell's parameters for D = `inputs` and H = `hidden`."""
    return {"U": (hidden, inputs), "W": (hidden, hidden), "b": (hidden,)}


def tanh_slope(h: Array) -> Array:
    """f'(a) of f = tanh, from h = f(a)."""
    slope: Array = 1 - h**2
    return slope


def relu(a: Array) -> Array:
    """max(0, a), by the real part where a is complex; NaN stays NaN."""
    return np.where(a.real <= 0, a.dtype.type(0), a)


def relu_slope(h: Array) -> Array:
    """f'(a) of f = relu, from h = f(a): 1 where h > 0, else 0."""
    return (h.real > 0).astype(h.dtype)


def forward(
    parameters: Mapping[str, Array], x: Array, state: State, *, f: Callable[[Array], Array] = np.tanh
) -> tuple[Array, State, Cache]:
    """h_1 .. h_T (T, B, H), the final state h_T, and the cache, from x (T, B, D) and h_0 = state.h (B, H)."""
    U, W, b = parameters["U"], parameters["W"], parameters["b"]
    h_t = state.h
    steps = []
    for ux_t in x @ U.T + b:
        a_t = h_t @ W.T + ux_t
        h_t = f(a_t)
        steps.append(h_t)
    h = np.stack(steps)
    return h, State(h=h[-1]), Cache(x=x, h0=state.h, h=h)


def backward(
    parameters: Mapping[str, Array],
    cache: Cache,
    dh: Array,
    dstate: State,
    *,
    slope: Callable[[Array], Array] = tanh_slope,
) -> tuple[dict[str, Array], Array, State]:
    """The gradients of U, W and b, of x (T, B, D) and of h_0 (B, H).

    `dh` (T, B, H) is what reaches each h_t from above (V^T g_t under a softmax), `dstate.h` (B, H) what
    reaches h_T from later time, and slope(h_t) is f'(a_t). From the last step to the first, with the sum over
    later time in brackets:

        dL/dh_t = dh_t + [W^T dL/da_{t+1}]                 dL/dW = sum_t dL/da_t h_{t-1}^T
        dL/da_t = dL/dh_t * f'(a_t)                        dL/dU = sum_t dL/da_t x_t^T
        dL/dh_0 = W^T dL/da_1,  dL/dx_t = U^T dL/da_t      dL/db = sum_t dL/da_t
    """
    U, W = parameters["U"], parameters["W"]
    x, h0, h = cache
    da = np.empty_like(dh)
    dh_next = dstate.h
    for t in reversed(range(len(h))):
        dh_t = dh[t] + dh_next
        da[t] = dh_t * slope(h[t])
        dh_next = da[t] @ W
    h_previous = np.concatenate([h0[np.newaxis], h[:-1]])
    gradients = {
        "U": np.tensordot(da, x, axes=([0, 1], [0, 1])),
        "W": np.tensordot(da, h_previous, axes=([0, 1], [0, 1])),
        "b": da.sum(axis=(0, 1)),
    }
    return gradients, da @ U, State(h=dh_next)


def equations(config: ModelConfig) -> Equations:
    """Return the equations with the activation of `config`."""
    f, slope = (relu, relu_slope) if config.activation == "relu" else (np.tanh, tanh_slope)
    return Equations(shapes, functools.partial(forward, f=f), functools.partial(backward, slope=slope))


SPEC = CellSpec(
    name="elman",
    display_name="vanilla recurrent",
    state=State,
    gates=("a",),
    equations=equations,
    torch=TorchModule(name="RNN", takes_activation=True),
    onnx=OnnxOperator(name="RNN", gates=("a",), takes_activation=True),
    matlab="h = tanh(RNN.W * h + RNN.U(:, ids(t)) + RNN.b);",
)

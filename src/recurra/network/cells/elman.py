"""The Elman cell: the simple ("vanilla") recurrent network.

    a_t = W h_{t-1} + U x_t + b        U (H, D)   W (H, H)   b (H,)
    h_t = f(a_t)                       f = tanh, or relu(a) = max(0, a)

relu has no derivative at a = 0; the code uses 0 there, as PyTorch does.

Source: J. L. Elman, "Finding structure in time", Cognitive Science 14 (1990) 179-211. Rectified units: Q. V. Le,
N. Jaitly, G. E. Hinton, "A simple way to initialize recurrent networks of rectified linear units", arXiv:1504.00941
(2015). The paper initializes W with the identity matrix, so that the network learns over many steps; see
`initialization` for the values here.
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
    """The state of the cell: the hidden state h, (B, H) in a cell and (L, B, H) in a network."""

    h: Array


class Cache(NamedTuple):
    """The values that `backward` needs: the inputs x (T, B, D), h_0 (B, H), and h_1 .. h_T in `h` (T, B, H).

    It does not need a_t: f'(a_t) can be computed from h_t, for tanh as 1 - h_t^2.
    """

    x: Array
    h0: Array
    h: Array


def shapes(inputs: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the parameters of one layer by name.

    Args:
        inputs: D, the number of inputs.
        hidden: H, the number of hidden units.

    Returns: the shape of each parameter.
    """
    return {"U": (hidden, inputs), "W": (hidden, hidden), "b": (hidden,)}


def tanh_slope(h: Array) -> Array:
    """Return f'(a) of f = tanh, computed from h = f(a).

    Args:
        h: the values of f, an array of any shape.

    Returns: 1 - h^2, with the shape of `h`.
    """
    slope: Array = 1 - h**2
    return slope


def relu(a: Array) -> Array:
    """Return max(0, a), element by element. A complex `a` is kept if its real part is above 0; NaN stays NaN.

    Args:
        a: an array of any shape, real or complex.

    Returns: the rectified values, with the shape and dtype of `a`.
    """
    return np.where(a.real <= 0, a.dtype.type(0), a)


def relu_slope(h: Array) -> Array:
    """Return f'(a) of f = relu, computed from h = f(a): 1 if h > 0, else 0.

    Args:
        h: the values of f, an array of any shape.

    Returns: the derivatives, with the shape of `h`.
    """
    return (h.real > 0).astype(h.dtype)


def forward(
    parameters: Mapping[str, Array], x: Array, state: State, *, f: Callable[[Array], Array] = np.tanh
) -> tuple[Array, State, Cache]:
    """Run the cell over T time steps; the module's docstring has the equations.

    Args:
        parameters: U, W and b.
        x: (T, B, D), inputs.
        state: h_0 (B, H).
        f: the activation, tanh or `relu`.

    Returns: h_1 .. h_T (T, B, H), the final state h_T (B, H), and the cache for `backward`.
    """
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
    """Backpropagate through T time steps, from the last to the first.

    Brackets hold the part of a gradient that comes from step t + 1; for t = T it is `dstate.h`.

        dL/dh_t = dh_t + [W^T dL/da_{t+1}]                 dL/dW = sum_t dL/da_t h_{t-1}^T
        dL/da_t = dL/dh_t * f'(a_t)                        dL/dU = sum_t dL/da_t x_t^T
        dL/dh_0 = W^T dL/da_1,  dL/dx_t = U^T dL/da_t      dL/db = sum_t dL/da_t

    Args:
        parameters: U, W and b.
        cache: the third result of `forward`.
        dh: (T, B, H), the gradient that reaches each h_t from the layer above: V^T dL/do_t under the output layer.
        dstate: (B, H), the gradient that reaches h_T from later time steps.
        slope: the derivative of the activation, f'(a_t) as a function of h_t.

    Returns: the gradients of U, W and b by name, of x (T, B, D), and of h_0 (B, H).
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
    """Return the functions of the cell with the activation of `config`.

    Args:
        config: the model settings, of which `activation` is read.

    Returns: `shapes`, `forward` and `backward`.
    """
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

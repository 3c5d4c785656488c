"""Long short-term memory (LSTM): a cell state c carries information over many time steps; three gates control it.

    a_t = W h_{t-1} + U x_t + b        U (4H, D), W (4H, H) and b (4H,) stack the rows of i, f, g, o in this order
    i_t = sigmoid(a_t^i)               input gate: the share of the candidate that enters c
    f_t = sigmoid(a_t^f)               forget gate: the share of c_{t-1} that stays
    g_t = tanh(a_t^g)                  candidate
    o_t = sigmoid(a_t^o)               output gate: the share of tanh(c_t) that becomes h_t
    c_t = f_t * c_{t-1} + i_t * g_t
    h_t = o_t * tanh(c_t)

Source: S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9 (1997) 1735-1780, without a
forget gate (f = 1). F. A. Gers, J. Schmidhuber, F. Cummins, "Learning to forget: continual prediction with LSTM",
Neural Computation 12 (2000) 2451-2471, added the forget gate.

Differences: the papers use other squashing functions than tanh and cut the gradient at the gates; here the gradient is
complete. PyTorch stacks the gates in the same order and has two biases, whose sum is b. Keras stacks the same order too
and transposes its matrices. Some variants connect c to the gates ("peepholes").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from recurra.network.cells.cell_spec import CellSpec, Equations, OnnxOperator, TorchModule
from recurra.network.cells.sigmoid import sigmoid

if TYPE_CHECKING:
    from collections.abc import Mapping

Array = npt.NDArray[Any]

GATES: Final = ("i", "f", "g", "o")
FORGET_BIAS: Final = 1.0


class State(NamedTuple):
    """The state of the cell: the hidden state h and the cell state c, (B, H) in a cell and (L, B, H) in a network."""

    h: Array
    c: Array


class Step(NamedTuple):
    """The values of one time step, (B, H) each: i, f, g and o after their sigmoid or tanh, c, and h."""

    i: Array
    f: Array
    g: Array
    o: Array
    c: Array
    h: Array


class Cache(NamedTuple):
    """The values that `backward` needs: the inputs x (T, B, D), the initial state, and all T steps."""

    x: Array
    state: State
    steps: list[Step]


def shapes(inputs: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the parameters of one layer by name.

    Args:
        inputs: D, the number of inputs.
        hidden: H, the number of hidden units.

    Returns: the shape of each parameter.
    """
    rows = len(GATES) * hidden
    return {"U": (rows, inputs), "W": (rows, hidden), "b": (rows,)}


def forward(parameters: Mapping[str, Array], x: Array, state: State) -> tuple[Array, State, Cache]:
    """Run the cell over T time steps; the module's docstring has the equations.

    Args:
        parameters: U, W and b.
        x: (T, B, D), inputs.
        state: h_0 and c_0, (B, H) each.

    Returns: h_1 .. h_T (T, B, H), the final state h_T and c_T (B, H), and the cache for `backward`.
    """
    U, W, b = parameters["U"], parameters["W"], parameters["b"]
    h_t, c_t = state
    steps = []
    for ux_t in x @ U.T + b:
        i, f, g, o = np.split(h_t @ W.T + ux_t, len(GATES), axis=-1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c_t = f * c_t + i * g
        h_t = o * np.tanh(c_t)
        steps.append(Step(i=i, f=f, g=g, o=o, c=c_t, h=h_t))
    return np.stack([step.h for step in steps]), State(h=h_t, c=c_t), Cache(x, state, steps)


def backward(
    parameters: Mapping[str, Array], cache: Cache, dh: Array, dstate: State
) -> tuple[dict[str, Array], Array, State]:
    """Backpropagate through T time steps, from the last to the first.

    Brackets hold the part of a gradient that comes from step t + 1; for t = T it is `dstate`.

        dL/dh_t   = dh_t + [W^T dL/da_{t+1}]
        dL/dc_t   = dL/dh_t * o_t * (1 - tanh(c_t)^2) + [dL/dc_{t+1} * f_{t+1}]
        dL/da_t^i = dL/dc_t * g_t       * i_t (1 - i_t)        dL/dW = sum_t dL/da_t h_{t-1}^T
        dL/da_t^f = dL/dc_t * c_{t-1}   * f_t (1 - f_t)        dL/dU = sum_t dL/da_t x_t^T
        dL/da_t^g = dL/dc_t * i_t       * (1 - g_t^2)          dL/db = sum_t dL/da_t
        dL/da_t^o = dL/dh_t * tanh(c_t) * o_t (1 - o_t)        dL/dx_t = U^T dL/da_t
        dL/dh_0   = W^T dL/da_1,  dL/dc_0 = dL/dc_1 * f_1

    Args:
        parameters: U, W and b.
        cache: the third result of `forward`.
        dh: (T, B, H), the gradient that reaches each h_t from the layer above.
        dstate: (B, H) each, the gradients that reach h_T and c_T from later time steps.

    Returns: the gradients of U, W and b by name, of x (T, B, D), and of h_0 and c_0 (B, H).
    """
    U, W = parameters["U"], parameters["W"]
    x, state, steps = cache
    h_previous = np.stack([state.h, *(step.h for step in steps[:-1])])
    c_previous = [state.c, *(step.c for step in steps[:-1])]
    da = np.empty((*dh.shape[:-1], len(GATES) * dh.shape[-1]), dh.dtype)
    dh_later, dc_later = dstate
    for t in reversed(range(len(steps))):
        i, f, g, o, c, _ = steps[t]
        tanh_c = np.tanh(c)
        dh_t = dh[t] + dh_later
        dc_t = dh_t * o * (1 - tanh_c**2) + dc_later
        da_i = dc_t * g * i * (1 - i)
        da_f = dc_t * c_previous[t] * f * (1 - f)
        da_g = dc_t * i * (1 - g**2)
        da_o = dh_t * tanh_c * o * (1 - o)
        da[t] = np.concatenate([da_i, da_f, da_g, da_o], axis=-1)
        dh_later = da[t] @ W
        dc_later = dc_t * f
    gradients = {
        "U": np.tensordot(da, x, axes=([0, 1], [0, 1])),
        "W": np.tensordot(da, h_previous, axes=([0, 1], [0, 1])),
        "b": da.sum(axis=(0, 1)),
    }
    return gradients, da @ U, State(h=dh_later, c=dc_later)


SPEC = CellSpec(
    name="lstm",
    display_name="LSTM",
    state=State,
    gates=GATES,
    equations=lambda _: Equations(shapes, forward, backward),
    gate_biases={"b": {"f": FORGET_BIAS}},
    torch=TorchModule(name="LSTM"),
    onnx=OnnxOperator(name="LSTM", gates=("i", "o", "f", "g")),
)

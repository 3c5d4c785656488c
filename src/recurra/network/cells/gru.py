"""The gated recurrent unit (GRU): the new hidden state mixes the previous hidden state and a candidate n.

    u_t = U x_t + b                          U (3H, D), W (3H, H) and b (3H,) stack the rows of r, z, n in this order
    w_t = W h_{t-1}
    r_t = sigmoid(u_t^r + w_t^r)             reset gate: the share of q that the candidate reads
    z_t = sigmoid(u_t^z + w_t^z)             update gate: the share of h_{t-1} that stays
    q_t = w_t^n + b_n                        b_n (H,)
    n_t = tanh(u_t^n + r_t * q_t)            candidate
    h_t = (1 - z_t) * n_t + z_t * h_{t-1}

Source: K. Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine
translation", EMNLP 2014, arXiv:1406.1078.

Differences: the paper has no biases, and resets before the product, W^n (r_t * h_{t-1}). cuDNN, PyTorch and Keras with
`reset_after` compute the equations above, which need one matrix product a step. J. Chung et al., arXiv:1412.3555,
exchange z and 1 - z. Keras stacks z before r. PyTorch has two biases of 3H numbers: b is their sum for r and z, and the
first bias for n; b_n is the second bias for n.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from recurra.network.cells.cell_spec import CellSpec, Equations, OnnxOperator, TorchModule
from recurra.network.cells.elman import State
from recurra.network.cells.sigmoid import sigmoid

if TYPE_CHECKING:
    from collections.abc import Mapping

Array = npt.NDArray[Any]

GATES: Final = ("r", "z", "n")


class Step(NamedTuple):
    """The values of one time step, (B, H) each: r, z and n after their sigmoid or tanh, q = w^n + b_n, and h."""

    r: Array
    z: Array
    n: Array
    q: Array
    h: Array


class Cache(NamedTuple):
    """The values that `backward` needs: the inputs x (T, B, D), h_0 (B, H), and the values of the T time steps."""

    x: Array
    h0: Array
    steps: list[Step]


def shapes(inputs: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the parameters of one layer by name.

    Args:
        inputs: D, the number of inputs.
        hidden: H, the number of hidden units.

    Returns: the shape of each parameter.
    """
    rows = len(GATES) * hidden
    return {"U": (rows, inputs), "W": (rows, hidden), "b": (rows,), "b_n": (hidden,)}


def forward(parameters: Mapping[str, Array], x: Array, state: State) -> tuple[Array, State, Cache]:
    """Run the cell over T time steps; the module's docstring has the equations.

    Args:
        parameters: U, W, b and b_n.
        x: (T, B, D), inputs.
        state: h_0 (B, H).

    Returns: h_1 .. h_T (T, B, H), the final state h_T (B, H), and the cache for `backward`.
    """
    U, W, b, b_n = parameters["U"], parameters["W"], parameters["b"], parameters["b_n"]
    h_t = state.h
    steps = []
    for u_t in x @ U.T + b:
        u_r, u_z, u_n = np.split(u_t, len(GATES), axis=-1)
        w_r, w_z, w_n = np.split(h_t @ W.T, len(GATES), axis=-1)
        r, z, q = sigmoid(u_r + w_r), sigmoid(u_z + w_z), w_n + b_n
        n = np.tanh(u_n + r * q)
        h_t = (1 - z) * n + z * h_t
        steps.append(Step(r=r, z=z, n=n, q=q, h=h_t))
    return np.stack([step.h for step in steps]), State(h=h_t), Cache(x, state.h, steps)


def backward(
    parameters: Mapping[str, Array], cache: Cache, dh: Array, dstate: State
) -> tuple[dict[str, Array], Array, State]:
    """Backpropagate through T time steps, from the last to the first.

    Brackets hold the part of a gradient that comes from step t + 1; for t = T it is `dstate.h`.

        dL/dh_t   = dh_t + [W^T dL/dw_{t+1} + dL/dh_{t+1} * z_{t+1}]
        dL/du_t^n = dL/dh_t * (1 - z_t) * (1 - n_t^2)
        dL/du_t^z = dL/dh_t * (h_{t-1} - n_t) * z_t (1 - z_t)
        dL/du_t^r = dL/du_t^n * q_t * r_t (1 - r_t)
        dL/dq_t   = dL/du_t^n * r_t
        dL/dw_t   = dL/du_t for r and z, dL/dq_t for n

        dL/dU = sum_t dL/du_t x_t^T        dL/db   = sum_t dL/du_t        dL/dx_t = U^T dL/du_t
        dL/dW = sum_t dL/dw_t h_{t-1}^T    dL/db_n = sum_t dL/dq_t        dL/dh_0 = W^T dL/dw_1 + dL/dh_1 * z_1

    Args:
        parameters: U, W, b and b_n.
        cache: the third result of `forward`.
        dh: (T, B, H), the gradient that reaches each h_t from the layer above.
        dstate: (B, H), the gradient that reaches h_T from later time steps.

    Returns: the gradients of U, W, b and b_n by name, of x (T, B, D), and of h_0 (B, H).
    """
    U, W = parameters["U"], parameters["W"]
    x, h0, steps = cache
    h_previous = np.stack([h0, *(step.h for step in steps[:-1])])
    du = np.empty((*dh.shape[:-1], len(GATES) * dh.shape[-1]), dh.dtype)
    dw = np.empty_like(du)
    dh_next = dstate.h
    for t in reversed(range(len(steps))):
        r, z, n, q, _ = steps[t]
        dh_t = dh[t] + dh_next
        du_n = dh_t * (1 - z) * (1 - n**2)
        du_z = dh_t * (h_previous[t] - n) * z * (1 - z)
        du_r = du_n * q * r * (1 - r)
        du[t] = np.concatenate([du_r, du_z, du_n], axis=-1)
        dw[t] = np.concatenate([du_r, du_z, du_n * r], axis=-1)
        dh_next = dw[t] @ W + dh_t * z
    dq = np.split(dw, len(GATES), axis=-1)[-1]
    gradients = {
        "U": np.tensordot(du, x, axes=([0, 1], [0, 1])),
        "W": np.tensordot(dw, h_previous, axes=([0, 1], [0, 1])),
        "b": du.sum(axis=(0, 1)),
        "b_n": dq.sum(axis=(0, 1)),
    }
    return gradients, du @ U, State(h=dh_next)


SPEC = CellSpec(
    name="gru",
    display_name="GRU",
    state=State,
    gates=GATES,
    equations=lambda _: Equations(shapes, forward, backward),
    torch=TorchModule(name="GRU", recurrent_biases={"b_n": "n"}),
    onnx=OnnxOperator(
        name="GRU", gates=("z", "r", "n"), attributes={"linear_before_reset": 1}, recurrent_biases={"b_n": "n"}
    ),
)

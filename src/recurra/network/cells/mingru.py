"""The minGRU: a GRU whose gate and candidate depend only on the input, not on the previous hidden state.

    u_t = U x_t + b                          U (2H, D) and b (2H,) stack the rows of z, n in this order
    z_t = sigmoid(u_t^z)                     update gate: the share of the candidate that enters
    n_t = u_t^n                              candidate
    h_t = (1 - z_t) * h_{t-1} + z_t * n_t

There is no W: one matrix product computes u_t for all time steps, and the recurrence is elementwise. h_t is a weighted
mean of h_0 and the candidates. The candidates have no activation, so h_t is not bounded.

Source: L. Feng, F. Tung, M. O. Ahmed, Y. Bengio, H. Hajimirsadeghi, "Were RNNs all we needed?", arXiv:2410.01201
(2024), section 3.1, where n is written h with a tilde.

Differences: the paper's code for parallel scans computes in logarithms and uses a positive candidate n = g(u^n), with
g(u) = u + 1/2 if u >= 0, else sigmoid(u). The recurrence here runs step by step and needs no logarithms, so the
candidate may be negative. The module `gru` uses z for the share of h_{t-1}; here z is the share of the candidate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from recurra.network.cells.cell_spec import CellSpec, Equations
from recurra.network.cells.elman import State
from recurra.network.cells.sigmoid import sigmoid

if TYPE_CHECKING:
    from collections.abc import Mapping

Array = npt.NDArray[Any]

GATES: Final = ("z", "n")


class Cache(NamedTuple):
    """The values that `backward` needs: x (T, B, D), h_0 (B, H), and z, n and h of all time steps, (T, B, H) each."""

    x: Array
    h0: Array
    z: Array
    n: Array
    h: Array


def shapes(inputs: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the parameters of one layer by name.

    Args:
        inputs: D, the number of inputs.
        hidden: H, the number of hidden units.

    Returns: the shape of each parameter.
    """
    rows = len(GATES) * hidden
    return {"U": (rows, inputs), "b": (rows,)}


def forward(parameters: Mapping[str, Array], x: Array, state: State) -> tuple[Array, State, Cache]:
    """Run the cell over T time steps; the module's docstring has the equations.

    Args:
        parameters: U and b.
        x: (T, B, D), inputs.
        state: h_0 (B, H).

    Returns: h_1 .. h_T (T, B, H), the final state h_T (B, H), and the cache for `backward`.
    """
    u_z, n = np.split(x @ parameters["U"].T + parameters["b"], len(GATES), axis=-1)
    z = sigmoid(u_z)
    h_t, steps = state.h, []
    for z_t, n_t in zip(z, n, strict=True):
        h_t = (1 - z_t) * h_t + z_t * n_t
        steps.append(h_t)
    h = np.stack(steps)
    return h, State(h=h_t), Cache(x=x, h0=state.h, z=z, n=n, h=h)


def backward(
    parameters: Mapping[str, Array], cache: Cache, dh: Array, dstate: State
) -> tuple[dict[str, Array], Array, State]:
    """Backpropagate through T time steps, from the last to the first.

    Brackets hold the part of a gradient that comes from step t + 1; for t = T it is `dstate.h`.

        dL/dh_t   = dh_t + [dL/dh_{t+1} * (1 - z_{t+1})]
        dL/du_t^z = dL/dh_t * (n_t - h_{t-1}) * z_t (1 - z_t)      dL/dU = sum_t dL/du_t x_t^T
        dL/du_t^n = dL/dh_t * z_t                                  dL/db = sum_t dL/du_t
        dL/dh_0   = dL/dh_1 * (1 - z_1)                            dL/dx_t = U^T dL/du_t

    Args:
        parameters: U and b.
        cache: the third result of `forward`.
        dh: (T, B, H), the gradient that reaches each h_t from the layer above.
        dstate: (B, H), the gradient that reaches h_T from later time steps.

    Returns: the gradients of U and b by name, of x (T, B, D), and of h_0 (B, H).
    """
    x, h0, z, n, h = cache
    dh_total = np.empty_like(dh)  # dL/dh_t of every step
    dh_next = dstate.h
    for t in reversed(range(len(h))):
        dh_total[t] = dh[t] + dh_next
        dh_next = dh_total[t] * (1 - z[t])
    h_previous = np.concatenate([h0[np.newaxis], h[:-1]])
    du = np.concatenate([dh_total * (n - h_previous) * z * (1 - z), dh_total * z], axis=-1)
    gradients = {"U": np.tensordot(du, x, axes=([0, 1], [0, 1])), "b": du.sum(axis=(0, 1))}
    return gradients, du @ parameters["U"], State(h=dh_next)


SPEC = CellSpec(
    name="mingru",
    display_name="minGRU",
    state=State,
    gates=GATES,
    equations=lambda _: Equations(shapes, forward, backward),
    input_deviation=1.0,
)

"""The minGRU: a GRU whose gate and candidate read the input alone, so that h passes through no matrix.

u_t = U x_t + b                          U (2H, D)   b (2H,): rows of z, n, stacked in this order
z_t = sigmoid(u_t^z)                     how much of the candidate enters
n_t = u_t^n                              the candidate
h_t = (1 - z_t) * h_{t-1} + z_t * n_t

There is no W. All u_t are one matrix product over time; the recurrence is elementwise. h_t is a weighted mean of the
candidates and of h_0, and has no bound of its own: the candidate is not squashed.

Source: L. Feng, F. Tung, M. O. Ahmed, Y. Bengio, H. Hajimirsadeghi, "Were RNNs all we needed?", arXiv:2410.01201
(2024), section 3.1, where n is written h with a tilde. Others differ: the paper's code for parallel scans computes in
logarithms and takes n = g(u^n) > 0, with g(u) = u + 1/2 for u >= 0, else sigmoid(u). Here the recurrence runs step by
step, where logarithms gain nothing, so that the candidate is the plain one. z is 1 - z of the GRU in `gru`.
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
    """The arrays that backward needs: x (T, B, D), h_0 (B, H), and z, n and h of all steps, (T, B, H) each."""

    x: Array
    h0: Array
    z: Array
    n: Array
    h: Array


def shapes(inputs: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """Return the cell's parameters by name and shape, for D = `inputs` and H = `hidden`."""
    rows = len(GATES) * hidden
    return {"U": (rows, inputs), "b": (rows,)}


def forward(parameters: Mapping[str, Array], x: Array, state: State) -> tuple[Array, State, Cache]:
    """Return h_1 .. h_T (T, B, H), the final state h_T, and the cache, from x (T, B, D) and h_0 = state.h (B, H)."""
    u_z, n = np.split(x @ parameters["U"].T + parameters["b"], len(GATES), axis=-1)
    z = sigmoid(u_z)
    h_t, steps = state.h, []
    for z_t, n_t in zip(z, n, strict=True):
        h_t = (1 - z_t) * h_t + z_t * n_t
        steps.append(h_t)
    h = np.stack(steps)
    return h, State(h=h_t), Cache(x, state.h, z, n, h)


def backward(
    parameters: Mapping[str, Array], cache: Cache, dh: Array, dstate: State
) -> tuple[dict[str, Array], Array, State]:
    """Return the gradients of U and b, of x (T, B, D) and of h_0 (B, H).

    `dh` (T, B, H) is the gradient that reaches each h_t from above, `dstate.h` (B, H) the one that reaches h_T from
    later time. From the last step to the first, with the sum over later time in brackets:

        dL/dh_t   = dh_t + [dL/dh_{t+1} * (1 - z_{t+1})]
        dL/du_t^z = dL/dh_t * (n_t - h_{t-1}) * z_t (1 - z_t)      dL/dU = sum_t dL/du_t x_t^T
        dL/du_t^n = dL/dh_t * z_t                                  dL/db = sum_t dL/du_t
        dL/dh_0   = dL/dh_1 * (1 - z_1)                            dL/dx_t = U^T dL/du_t
    """
    x, h0, z, n, h = cache
    total = np.empty_like(dh)
    dh_next = dstate.h
    for t in reversed(range(len(h))):
        total[t] = dh[t] + dh_next
        dh_next = total[t] * (1 - z[t])
    h_previous = np.concatenate([h0[np.newaxis], h[:-1]])
    du = np.concatenate([total * (n - h_previous) * z * (1 - z), total * z], axis=-1)
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

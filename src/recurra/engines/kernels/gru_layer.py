"""One GRU layer with B streams: the equations of `network/cells/gru.py` with the products of `gemm`.

The reset gate multiplies after the product (the form of PyTorch and cuDNN). Padded units have zero weights, so that
their n and h stay 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from recurra.config import ModelConfig
from recurra.engines.kernels.arithmetic import sigmoid, tanh
from recurra.engines.kernels.cell_kernels import (
    CellKernels,
    Inputs,
    InputWeights,
    OuterProduct,
    layer_weights,
    step_inputs,
    step_weights,
)
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.gemm import step_product
from recurra.engines.kernels.lanes import WIDTH, Tile, Vector, aligned_zeros, load, multiply_add, store
from recurra.engines.kernels.products import column_sums
from recurra.network.cells.elman import State

ONE = np.float32(1)


class GruWeights(NamedTuple):
    """The recurrent weights of one layer, or of all layers for `step`, with a leading axis L.

    W: in the form of `step_product`.
    b: (1, 3 H).
    b_n: (1, H).
    """

    W: Vector
    b: Vector
    b_n: Vector


class Saved(NamedTuple):
    """The values that `backward` needs, and the gradients that it writes.

    gates: (T B, 3 H), the gates r, z, n.
    q: (T B, H), W_n h_- + b_n.
    da: (T B, 3 H), gradient of U x + b; the memory of the gates, which `backward` reads once.
    dq: (T B, 3 H), gradient of W h_- + b.
    """

    gates: Vector
    q: Vector
    da: Vector
    dq: Vector


class Carried(NamedTuple):
    """The gradient of h from the next time step, in two parts.

    h: (B, H), the part through W.
    direct: (B, H), the part through z h_-.
    """

    h: Vector
    direct: Vector


class StepBuffers(NamedTuple):
    """The buffers of `step`.

    gates: (B, 3 H), the gates.
    table: (B, 3 H), U x.
    rows: (B,) integers 0, 1, 2, …
    q: (B, H), W_n h_- + b_n.
    """

    gates: Vector
    table: Vector
    rows: Vector
    q: Vector


@strict
def step_forward(
    gates: Vector,
    table: Vector,
    rows: Vector,
    b: Vector,
    b_n: Vector,
    before: Vector,
    q: Vector,
    h: Vector,
    tile: Tile,
) -> None:
    """Compute the gates and the hidden state of one time step.

        r, z = sigmoid(U x + b + W h_-),  q = W_n h_- + b_n,  n = tanh(U_n x + b_n' + r q),  h = n + z (h_- - n)

    Args:
        gates: (B, 3 H), W h_-; overwritten with the gates r, z, n.
        table: (., 3 H), products U x.
        rows: (B,) integers, the row of `table` for each stream.
        b: (1, 3 H), the biases of r and z, and b_n'.
        b_n: (1, H).
        before: (B, H), h_-.
        q: (B, H); written.
        h: (B, H), the hidden state; written.
        tile: width of the vectors.
    """
    H = h.shape[1]
    for s in range(h.shape[0]):
        row = rows[s]
        for k in range(0, H, WIDTH * len(tile)):
            r = sigmoid(load(gates, s, k, tile) + (load(table, row, k, tile) + load(b, 0, k, tile)))
            z = sigmoid(load(gates, s, H + k, tile) + (load(table, row, H + k, tile) + load(b, 0, H + k, tile)))
            q_s = load(gates, s, 2 * H + k, tile) + load(b_n, 0, k, tile)
            n = tanh(multiply_add(r, q_s, load(table, row, 2 * H + k, tile) + load(b, 0, 2 * H + k, tile)))
            store(gates, s, k, r)
            store(gates, s, H + k, z)
            store(gates, s, 2 * H + k, n)
            store(q, s, k, q_s)
            store(h, s, k, multiply_add(z, load(before, s, k, tile) - n, n))


@strict
def step_backward(
    dh_out: Vector,
    dh: Vector,
    direct: Vector,
    gates: Vector,
    q: Vector,
    before: Vector,
    da: Vector,
    dq: Vector,
    tile: Tile,
) -> None:
    """Backpropagate through the gates of one time step.

    With D = dL/dh = dh_out + dh + direct:

        dz = D (h_- - n),  dn = D (1 - z),  da_n = dn (1 - n²),  dr = da_n q,  dq = da_n r
        da_r = dr r (1 - r),  da_z = dz z (1 - z),  direct = D z

    Args:
        dh_out: (B, H), gradient of h from the layer above.
        dh: (B, H), gradient of h from the next time step through W.
        direct: (B, H), gradient of h from the next time step through z h_-; overwritten with the gradient of h_-.
        gates: (B, 3 H), the gates from `step_forward`; `da` may be the same memory.
        q: (B, H), from `step_forward`.
        before: (B, H), h_-.
        da: (B, 3 H), gradient of U x + b in the order r, z, n; written.
        dq: (B, 3 H), gradient of W h_- + b in the order r, z, n; written.
        tile: width of the vectors.
    """
    H = direct.shape[1]
    for s in range(direct.shape[0]):
        for k in range(0, H, WIDTH * len(tile)):
            r, z, n = load(gates, s, k, tile), load(gates, s, H + k, tile), load(gates, s, 2 * H + k, tile)
            d = (load(dh_out, s, k, tile) + load(dh, s, k, tile)) + load(direct, s, k, tile)
            da_n = d * (ONE - z) * (ONE - n * n)
            da_r = da_n * load(q, s, k, tile) * r * (ONE - r)
            da_z = d * (load(before, s, k, tile) - n) * z * (ONE - z)
            store(da, s, k, da_r)
            store(da, s, H + k, da_z)
            store(da, s, 2 * H + k, da_n)
            store(dq, s, k, da_r)
            store(dq, s, H + k, da_z)
            store(dq, s, 2 * H + k, da_n * r)
            store(direct, s, k, d * z)


@strict
def forward(
    inputs: Inputs, weights: GruWeights, states: State, saved: Saved, steps: int, packed: Vector, tile: Tile
) -> None:
    """Run the layer through all time steps.

    Args:
        inputs, weights, states, saved, steps, packed, tile: as in `CellKernels.forward`.
    """
    W, b, b_n, table, rows = weights.W, weights.b, weights.b_n, inputs.table, inputs.rows
    h, gates, q = states.h, saved.gates, saved.q
    B = h.shape[0] // (steps + 1)
    for t in range(steps):
        now, after = slice(t * B, t * B + B), slice(t * B + B, t * B + 2 * B)
        step_product(h[now], W, gates[now], packed)
        step_forward(
            gates[now],
            table=table,
            rows=rows[now],
            b=b,
            b_n=b_n,
            before=h[now],
            q=q[now],
            h=h[after],
            tile=tile,
        )


@strict
def backward(
    dh_out: Vector,
    weights: GruWeights,
    states: State,
    saved: Saved,
    carried: Carried,
    steps: int,
    packed: Vector,
    tile: Tile,
) -> None:
    """Backpropagate through all time steps, from the last to the first.

    Args:
        dh_out, weights, states, saved, carried, steps, packed, tile: as in `CellKernels.backward`.
    """
    W, h, gates, q, da, dq = weights.W, states.h, saved.gates, saved.q, saved.da, saved.dq
    dh, direct = carried.h, carried.direct
    B = dh.shape[0]
    for back in range(steps):
        t = steps - 1 - back
        now = slice(t * B, t * B + B)
        step_backward(
            dh_out=dh_out[now],
            dh=dh,
            direct=direct,
            gates=gates[now],
            q=q[now],
            before=h[now],
            da=da[now],
            dq=dq[now],
            tile=tile,
        )
        step_product(dq[now], W, dh, packed)


@strict
def step(
    number: int,
    ids: Vector,
    inputs: InputWeights,
    weights: GruWeights,
    states: State,
    buffers: StepBuffers,
    packed: Vector,
    tile: Tile,
) -> None:
    """Advance one layer by one time step.

    Args:
        number, ids, inputs, weights, states, buffers, packed, tile: as in `CellKernels.step`.
    """
    table, rows = step_inputs(number, ids, inputs, states.h, buffers.table, buffers.rows, packed)
    h = states.h[number]
    step_product(h, weights.W[number], buffers.gates, packed)
    step_forward(
        buffers.gates,
        table=table,
        rows=rows,
        b=weights.b[number],
        b_n=weights.b_n[number],
        before=h,
        q=buffers.q,
        h=h,
        tile=tile,
    )


def _saved(_: ModelConfig, _number: int, rows: int, hidden: int) -> Saved:
    gates = aligned_zeros(rows, 3 * hidden)
    return Saved(gates=gates, q=aligned_zeros(rows, hidden), da=gates, dq=aligned_zeros(rows, 3 * hidden))


def _carried(streams: int, hidden: int) -> Carried:
    return Carried(h=aligned_zeros(streams, hidden), direct=aligned_zeros(streams, hidden))


def _gradients(states: State, saved: Saved, gradient: Mapping[str, Vector], outer: OuterProduct) -> None:
    outer(states.h[: len(saved.dq)], saved.dq, gradient["W"])
    column_sums(gradient["b_n"], saved.dq[:, 2 * saved.q.shape[1] :])


def _step_buffers(_: GruWeights, streams: int, hidden: int) -> StepBuffers:
    return StepBuffers(
        gates=aligned_zeros(streams, 3 * hidden),
        table=aligned_zeros(streams, 3 * hidden),
        rows=np.arange(streams),
        q=aligned_zeros(streams, hidden),
    )


KERNELS = CellKernels(
    layer_weights=layer_weights(GruWeights),
    saved=_saved,
    carried=_carried,
    forward=forward,
    backward=backward,
    gradients=_gradients,
    StepWeights=GruWeights,
    step_weights=step_weights(GruWeights),
    step_buffers=_step_buffers,
    step=step,
    scales_input=False,
)

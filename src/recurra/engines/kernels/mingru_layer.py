"""One minGRU layer with B streams: the equations of `network/cells/mingru.py`.

There is no recurrent product: one product gives U x of all steps, and each step is one pass over memory. Padded units
have zero weights, so that their n and h stay 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from recurra.config import ModelConfig
from recurra.engines.kernels.arithmetic import sigmoid
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
from recurra.engines.kernels.lanes import WIDTH, Tile, Vector, aligned_zeros, load, multiply_add, store
from recurra.network.cells.elman import State

ONE = np.float32(1)


class MinGruWeights(NamedTuple):
    """The biases b of one layer (1, 2 H), or of all layers for `step` (L, 1, 2 H)."""

    b: Vector


class Saved(NamedTuple):
    """The values that `backward` needs, and the gradient that it writes.

    gates: (T B, 2 H), z and n.
    da: (T B, 2 H), gradient of U x + b.
    """

    gates: Vector
    da: Vector


class Carried(NamedTuple):
    """The gradient of h (B, H) from the next time step."""

    h: Vector


class StepBuffers(NamedTuple):
    """The buffers of `step`.

    gates: (B, 2 H), z and n.
    table: (B, 2 H), U x.
    rows: (B,) integers 0, 1, 2, …
    """

    gates: Vector
    table: Vector
    rows: Vector


@strict
def step_forward(gates: Vector, table: Vector, rows: Vector, b: Vector, before: Vector, h: Vector, tile: Tile) -> None:
    """Compute the gate and the hidden state of one time step.

        z = sigmoid(U_z x + b_z),  n = U_n x + b_n,  h = h_- + z (n - h_-)

    Args:
        gates: (B, 2 H), z and n; written.
        table: (., 2 H), products U x.
        rows: (B,) integers, the row of `table` for each stream.
        b: (1, 2 H).
        before: (B, H), h_-.
        h: (B, H), the hidden state; written.
        tile: width of the vectors.
    """
    H = h.shape[1]
    for s in range(h.shape[0]):
        row = rows[s]
        for k in range(0, H, WIDTH * len(tile)):
            z = sigmoid(load(table, row, k, tile) + load(b, 0, k, tile))
            n = load(table, row, H + k, tile) + load(b, 0, H + k, tile)
            past = load(before, s, k, tile)
            store(gates, s, k, z)
            store(gates, s, H + k, n)
            store(h, s, k, multiply_add(z, n - past, past))


@strict
def step_backward(dh_out: Vector, dh: Vector, gates: Vector, before: Vector, da: Vector, tile: Tile) -> None:
    """Backpropagate through one time step.

    With D = dL/dh = dh_out + dh:

        da_z = D (n - h_-) z (1 - z),  da_n = D z,  dh_- = D (1 - z)

    Args:
        dh_out: (B, H), gradient of h from the layer above.
        dh: (B, H), gradient of h from the next time step; overwritten with the gradient of h_-.
        gates: (B, 2 H), z and n from `step_forward`.
        before: (B, H), h_-.
        da: (B, 2 H), gradient of U x + b; written.
        tile: width of the vectors.
    """
    H = dh.shape[1]
    for s in range(dh.shape[0]):
        for k in range(0, H, WIDTH * len(tile)):
            z, n = load(gates, s, k, tile), load(gates, s, H + k, tile)
            d = load(dh_out, s, k, tile) + load(dh, s, k, tile)
            store(da, s, k, d * (n - load(before, s, k, tile)) * z * (ONE - z))
            store(da, s, H + k, d * z)
            store(dh, s, k, d * (ONE - z))


@strict
def forward(
    inputs: Inputs, weights: MinGruWeights, states: State, saved: Saved, steps: int, _packed: Vector, tile: Tile
) -> None:
    """Run the layer through all time steps.

    Args:
        inputs, weights, states, saved, steps, _packed, tile: as in `CellKernels.forward`.
    """
    h = states.h
    B = h.shape[0] // (steps + 1)
    for t in range(steps):
        now, after = slice(t * B, t * B + B), slice(t * B + B, t * B + 2 * B)
        step_forward(
            saved.gates[now],
            table=inputs.table,
            rows=inputs.rows[now],
            b=weights.b,
            before=h[now],
            h=h[after],
            tile=tile,
        )


@strict
def backward(
    dh_out: Vector,
    _weights: MinGruWeights,
    states: State,
    saved: Saved,
    carried: Carried,
    steps: int,
    _packed: Vector,
    tile: Tile,
) -> None:
    """Backpropagate through all time steps, from the last to the first.

    Args:
        dh_out, _weights, states, saved, carried, steps, _packed, tile: as in `CellKernels.backward`.
    """
    B = carried.h.shape[0]
    for back in range(steps):
        t = steps - 1 - back
        now = slice(t * B, t * B + B)
        step_backward(
            dh_out=dh_out[now],
            dh=carried.h,
            gates=saved.gates[now],
            before=states.h[now],
            da=saved.da[now],
            tile=tile,
        )


@strict
def step(
    number: int,
    ids: Vector,
    inputs: InputWeights,
    weights: MinGruWeights,
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
    step_forward(buffers.gates, table=table, rows=rows, b=weights.b[number], before=h, h=h, tile=tile)


def _saved(_: ModelConfig, _number: int, rows: int, hidden: int) -> Saved:
    return Saved(gates=aligned_zeros(rows, 2 * hidden), da=aligned_zeros(rows, 2 * hidden))


def _carried(streams: int, hidden: int) -> Carried:
    return Carried(h=aligned_zeros(streams, hidden))


def _gradients(states: State, saved: Saved, gradient: Mapping[str, Vector], outer: OuterProduct) -> None:
    """Write nothing: U and b are the only parameters."""


def _step_buffers(_: MinGruWeights, streams: int, hidden: int) -> StepBuffers:
    return StepBuffers(
        gates=aligned_zeros(streams, 2 * hidden), table=aligned_zeros(streams, 2 * hidden), rows=np.arange(streams)
    )


KERNELS = CellKernels(
    layer_weights=layer_weights(MinGruWeights),
    saved=_saved,
    carried=_carried,
    forward=forward,
    backward=backward,
    gradients=_gradients,
    StepWeights=MinGruWeights,
    step_weights=step_weights(MinGruWeights),
    step_buffers=_step_buffers,
    step=step,
    scales_input=False,
)

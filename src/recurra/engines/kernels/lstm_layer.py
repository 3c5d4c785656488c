"""The LSTM cell in float32, a layer of B streams: `network/cells/lstm.py` with products from `gemm`.

The arithmetic on the gates is one pass over memory a step. Padded units have zero weights: i = f = o = 1/2, g = 0,
hence c = h = 0, and all their gradients are 0.
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
from recurra.engines.kernels.lanes import WIDTH, Tile, Vector, aligned_zeros, load, store
from recurra.network.cells.lstm import State

ONE = np.float32(1)


class LstmWeights(NamedTuple):
    """W as `step_product` takes it, b (1, 4 H); in `step` of all layers, (L, ., .) and (L, 1, 4 H)."""

    W: Vector
    b: Vector


class Saved(NamedTuple):
    """gates (T B, 4 H), the gates i f g o; da (T B, 4 H), their gradients before sigmoid and tanh."""

    gates: Vector
    da: Vector


class Carried(NamedTuple):
    """The gradients of h and c (B, H) from later time."""

    h: Vector
    c: Vector


class StepBuffers(NamedTuple):
    """gates and table (S, 4 H), rows (S,)."""

    gates: Vector
    table: Vector
    rows: Vector


@strict
def step_forward(
    gates: Vector, table: Vector, rows: Vector, b: Vector, before: Vector, after: Vector, h: Vector, tile: Tile
) -> None:
    """i, f, o = sigmoid, g = tanh of (U x + b + W h_-); c = f c_- + i g; h = o tanh c.

    gates (B, 4 H): W h_- on entry, the gates i f g o on return; table (., 4 H) with U x of stream s in row rows[s];
    b (1, 4 H); before (B, H) is c_-, after (B, H) becomes c, h (B, H) the result. H is a multiple of the tile.
    """
    H = h.shape[1]
    for s in range(h.shape[0]):
        row = rows[s]
        for k in range(0, H, WIDTH * len(tile)):
            i = sigmoid(load(gates, s, k, tile) + (load(table, row, k, tile) + load(b, 0, k, tile)))
            f = sigmoid(load(gates, s, H + k, tile) + (load(table, row, H + k, tile) + load(b, 0, H + k, tile)))
            g = tanh(
                load(gates, s, 2 * H + k, tile) + (load(table, row, 2 * H + k, tile) + load(b, 0, 2 * H + k, tile))
            )
            o = sigmoid(
                load(gates, s, 3 * H + k, tile) + (load(table, row, 3 * H + k, tile) + load(b, 0, 3 * H + k, tile))
            )
            c = f * load(before, s, k, tile) + i * g
            store(gates, s, k, i)
            store(gates, s, H + k, f)
            store(gates, s, 2 * H + k, g)
            store(gates, s, 3 * H + k, o)
            store(after, s, k, c)
            store(h, s, k, o * tanh(c))


@strict
def step_backward(
    dh_out: Vector, dh: Vector, dc: Vector, gates: Vector, before: Vector, after: Vector, da: Vector, tile: Tile
) -> None:
    """dL/da of the four gates, and dL/dc_- in place of dL/dc.

    With D = dL/dh (dh_out from above plus dh from later time) and t = tanh c:
        do = D t,  dc += D o (1 - t²),  di = dc g,  df = dc c_-,  dg = dc i,  dc_- = dc f
        da_i = di i (1 - i),  da_f = df f (1 - f),  da_g = dg (1 - g²),  da_o = do o (1 - o)
    dh_out, dh, dc, before (c_-), after (c): (B, H); gates, da: (B, 4 H).
    """
    H = dc.shape[1]
    for s in range(dc.shape[0]):
        for k in range(0, H, WIDTH * len(tile)):
            i, f = load(gates, s, k, tile), load(gates, s, H + k, tile)
            g, o = load(gates, s, 2 * H + k, tile), load(gates, s, 3 * H + k, tile)
            t = tanh(load(after, s, k, tile))
            d = load(dh_out, s, k, tile) + load(dh, s, k, tile)
            dc_s = load(dc, s, k, tile) + d * o * (ONE - t * t)
            store(da, s, k, dc_s * g * i * (ONE - i))
            store(da, s, H + k, dc_s * load(before, s, k, tile) * f * (ONE - f))
            store(da, s, 2 * H + k, dc_s * i * (ONE - g * g))
            store(da, s, 3 * H + k, d * t * o * (ONE - o))
            store(dc, s, k, dc_s * f)


@strict
def forward(
    inputs: Inputs, weights: LstmWeights, states: State, saved: Saved, steps: int, packed: Vector, tile: Tile
) -> None:
    """Run all steps: see `CellKernels`."""
    W, b, table, rows = weights.W, weights.b, inputs.table, inputs.rows
    gates, h, c = saved.gates, states.h, states.c
    B = h.shape[0] // (steps + 1)
    for t in range(steps):
        now, after = slice(t * B, t * B + B), slice(t * B + B, t * B + 2 * B)
        step_product(h[now], W, gates[now], packed)
        step_forward(
            gates[now],
            table=table,
            rows=rows[now],
            b=b,
            before=c[now],
            after=c[after],
            h=h[after],
            tile=tile,
        )


@strict
def backward(
    dh_out: Vector,
    weights: LstmWeights,
    states: State,
    saved: Saved,
    carried: Carried,
    steps: int,
    packed: Vector,
    tile: Tile,
) -> None:
    """Run all steps from the last: see `CellKernels`."""
    W, c, gates, da = weights.W, states.c, saved.gates, saved.da
    dh, dc = carried.h, carried.c
    B = dh.shape[0]
    for back in range(steps):
        t = steps - 1 - back
        now, after = slice(t * B, t * B + B), slice(t * B + B, t * B + 2 * B)
        step_backward(
            dh_out=dh_out[now],
            dh=dh,
            dc=dc,
            gates=gates[now],
            before=c[now],
            after=c[after],
            da=da[now],
            tile=tile,
        )
        step_product(da[now], W, dh, packed)


@strict
def step(
    number: int,
    ids: Vector,
    inputs: InputWeights,
    weights: LstmWeights,
    states: State,
    buffers: StepBuffers,
    packed: Vector,
    tile: Tile,
) -> None:
    """Advance layer `number` by one step: see `CellKernels`."""
    table, rows = step_inputs(number, ids, inputs, states.h, buffers.table, buffers.rows, packed)
    h, c = states.h[number], states.c[number]
    step_product(h, weights.W[number], buffers.gates, packed)
    step_forward(buffers.gates, table=table, rows=rows, b=weights.b[number], before=c, after=c, h=h, tile=tile)


def _saved(_: ModelConfig, _number: int, rows: int, hidden: int) -> Saved:
    return Saved(gates=aligned_zeros(rows, 4 * hidden), da=aligned_zeros(rows, 4 * hidden))


def _carried(streams: int, hidden: int) -> Carried:
    return Carried(h=aligned_zeros(streams, hidden), c=aligned_zeros(streams, hidden))


def _gradients(states: State, saved: Saved, gradient: Mapping[str, Vector], outer: OuterProduct) -> None:
    outer(states.h[: len(saved.da)], saved.da, gradient["W"])


def _step_buffers(_: LstmWeights, streams: int, hidden: int) -> StepBuffers:
    return StepBuffers(
        gates=aligned_zeros(streams, 4 * hidden), table=aligned_zeros(streams, 4 * hidden), rows=np.arange(streams)
    )


KERNELS = CellKernels(
    layer_weights=layer_weights(LstmWeights),
    saved=_saved,
    carried=_carried,
    forward=forward,
    backward=backward,
    gradients=_gradients,
    StepWeights=LstmWeights,
    step_weights=step_weights(LstmWeights),
    step_buffers=_step_buffers,
    step=step,
    scales_input=False,
)

"""One LSTM layer with B streams: the equations of `network/cells/lstm.py` with the products of `gemm`.

The arithmetic on the gates is one pass over memory for each step. Padded units have zero weights: i = f = o = 1/2 and
g = 0, so that c, h and all their gradients stay 0.
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
from recurra.network.cells.lstm import State

ONE = np.float32(1)


class LstmWeights(NamedTuple):
    """The recurrent weights of one layer, or of all layers for `step`, with a leading axis L.

    W: in the form of `step_product`.
    b: (1, 4 H).
    """

    W: Vector
    b: Vector


class Saved(NamedTuple):
    """The values that `backward` needs, and the gradient that it writes.

    gates: (T B, 4 H), the gates i, f, g, o.
    da: (T B, 4 H), gradients of the gates before sigmoid and tanh; the same memory, because `backward` reads the gates
        of a step once and then writes their gradients.
    """

    gates: Vector
    da: Vector


class Carried(NamedTuple):
    """The gradients of h and c, both (B, H), from the next time step."""

    h: Vector
    c: Vector


class StepBuffers(NamedTuple):
    """The buffers of `step`.

    gates: (B, 4 H), the gates.
    table: (B, 4 H), U x.
    rows: (B,) integers 0, 1, 2, …
    """

    gates: Vector
    table: Vector
    rows: Vector


@strict
def step_forward(
    gates: Vector, table: Vector, rows: Vector, b: Vector, before: Vector, after: Vector, h: Vector, tile: Tile
) -> None:
    """Compute the gates, the cell state and the hidden state of one time step.

        i, f, o = sigmoid(U x + b + W h_-),  g = tanh(U x + b + W h_-),  c = f c_- + i g,  h = o tanh c

    Args:
        gates: (B, 4 H), W h_-; overwritten with the gates i, f, g, o.
        table: (., 4 H), products U x.
        rows: (B,) integers, the row of `table` for each stream.
        b: (1, 4 H).
        before: (B, H), the cell state c_-.
        after: (B, H), the cell state c; written.
        h: (B, H), the hidden state; written.
        tile: width of the vectors.
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
            c = multiply_add(f, load(before, s, k, tile), i * g)
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
    """Backpropagate through the gates of one time step.

    With D = dL/dh = dh_out + dh and t = tanh c:

        do = D t,  dc += D o (1 - t²),  di = dc g,  df = dc c_-,  dg = dc i,  dc_- = dc f
        da_i = di i (1 - i),  da_f = df f (1 - f),  da_g = dg (1 - g²),  da_o = do o (1 - o)

    Args:
        dh_out: (B, H), gradient of h from the layer above.
        dh: (B, H), gradient of h from the next time step.
        dc: (B, H), gradient of c from the next time step; overwritten with the gradient of c_-.
        gates: (B, 4 H), the gates from `step_forward`; `da` may be the same memory.
        before: (B, H), the cell state c_-.
        after: (B, H), the cell state c.
        da: (B, 4 H), gradients of the gates before sigmoid and tanh; written.
        tile: width of the vectors.
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
    """Run the layer through all time steps.

    Args:
        inputs, weights, states, saved, steps, packed, tile: as in `CellKernels.forward`.
    """
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
    """Backpropagate through all time steps, from the last to the first.

    Args:
        dh_out, weights, states, saved, carried, steps, packed, tile: as in `CellKernels.backward`.
    """
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
    """Advance one layer by one time step.

    Args:
        number, ids, inputs, weights, states, buffers, packed, tile: as in `CellKernels.step`.
    """
    table, rows = step_inputs(number, ids, inputs, states.h, buffers.table, buffers.rows, packed)
    h, c = states.h[number], states.c[number]
    step_product(h, weights.W[number], buffers.gates, packed)
    step_forward(buffers.gates, table=table, rows=rows, b=weights.b[number], before=c, after=c, h=h, tile=tile)


def _saved(_: ModelConfig, _number: int, rows: int, hidden: int) -> Saved:
    gates = aligned_zeros(rows, 4 * hidden)
    return Saved(gates=gates, da=gates)


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

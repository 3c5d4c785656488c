"""One elman layer with B streams: the equations of `network/cells/elman.py` with the products of `gemm`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from recurra.config import ModelConfig
from recurra.engines.kernels.arithmetic import tanh
from recurra.engines.kernels.cell_kernels import (
    CellKernels,
    Inputs,
    InputWeights,
    OuterProduct,
    Pack,
    step_inputs,
)
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.gemm import step_product
from recurra.engines.kernels.lanes import WIDTH, Tile, Vector, aligned_zeros, load, store, zero_below
from recurra.network.cells.elman import State

ZERO, ONE = np.float32(0), np.float32(1)
SMALLEST = np.float32(1e-45)  # the least positive number, as the bound of h: relu has no gradient at h = 0


class ElmanWeights(NamedTuple):
    """The recurrent weights of one layer.

    W: (H, H), in the form of `step_product`.
    b: (1, H).
    relu: True for relu, False for tanh.
    """

    W: Vector
    b: Vector
    relu: bool


class Saved(NamedTuple):
    """The values that `backward` needs; the slope of tanh or relu follows from h.

    da: (T B, H), gradient of the sum before tanh or relu.
    """

    da: Vector


class Carried(NamedTuple):
    """The gradient of h (B, H) from the next time step."""

    h: Vector


class ElmanStepWeights(NamedTuple):
    """The recurrent weights of all layers for `step`.

    W: (L, ., .), in the form of `step_product`.
    b: (L, 1, H).
    relu: True for relu, False for tanh.
    """

    W: Vector
    b: Vector
    relu: bool


class StepBuffers(NamedTuple):
    """The buffers of `step`.

    a: (B, H), W h_-.
    table: (B, H), U x.
    rows: (B,) integers 0, 1, 2, …
    """

    a: Vector
    table: Vector
    rows: Vector


@strict
def step_forward(a: Vector, table: Vector, rows: Vector, b: Vector, h: Vector, relu: bool, tile: Tile) -> None:
    """Compute the hidden state of one time step.

        h = tanh(U x + b + W h_-),  or relu in place of tanh

    Args:
        a: (B, H), W h_-.
        table: (., H), products U x.
        rows: (B,) integers, the row of `table` for each stream.
        b: (1, H).
        h: (B, H), the hidden state; written.
        relu: True for relu, False for tanh.
        tile: width of the vectors.
    """
    for s in range(h.shape[0]):
        for k in range(0, h.shape[1], WIDTH * len(tile)):
            x = load(a, s, k, tile) + (load(table, rows[s], k, tile) + load(b, 0, k, tile))
            if relu:
                store(h, s, k, zero_below(x, x, ZERO))
            else:
                store(h, s, k, tanh(x))


@strict
def step_backward(dh_out: Vector, dh: Vector, h: Vector, da: Vector, relu: bool, tile: Tile) -> None:
    """Backpropagate through the activation of one time step.

        dL/da = (dh_out + dh) (1 - h²),  or for relu (dh_out + dh) if h > 0, else 0

    Args:
        dh_out: (B, H), gradient of h from the layer above.
        dh: (B, H), gradient of h from the next time step.
        h: (B, H), the hidden state from `step_forward`.
        da: (B, H), gradient of the sum before tanh or relu; written.
        relu: True for relu, False for tanh.
        tile: width of the vectors.
    """
    for s in range(h.shape[0]):
        for k in range(0, h.shape[1], WIDTH * len(tile)):
            d = load(dh_out, s, k, tile) + load(dh, s, k, tile)
            h_s = load(h, s, k, tile)
            if relu:
                store(da, s, k, zero_below(d, h_s, SMALLEST))
            else:
                store(da, s, k, d * (ONE - h_s * h_s))


@strict
def forward(
    inputs: Inputs, weights: ElmanWeights, states: State, saved: Saved, steps: int, packed: Vector, tile: Tile
) -> None:
    """Run the layer through all time steps. The first B rows of `da` are the workspace for W h_- of one step.

    Args:
        inputs, weights, states, saved, steps, packed, tile: as in `CellKernels.forward`.
    """
    h, table, rows = states.h, inputs.table, inputs.rows
    B = h.shape[0] // (steps + 1)
    a = saved.da[:B]
    for t in range(steps):
        now, after = slice(t * B, t * B + B), slice(t * B + B, t * B + 2 * B)
        step_product(h[now], weights.W, a, packed)
        step_forward(a, table, rows[now], weights.b, h[after], weights.relu, tile)


@strict
def backward(
    dh_out: Vector,
    weights: ElmanWeights,
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
    h, da, dh = states.h, saved.da, carried.h
    B = dh.shape[0]
    for back in range(steps):
        t = steps - 1 - back
        now, after = slice(t * B, t * B + B), slice(t * B + B, t * B + 2 * B)
        step_backward(dh_out=dh_out[now], dh=dh, h=h[after], da=da[now], relu=weights.relu, tile=tile)
        step_product(da[now], weights.W, dh, packed)


@strict
def step(
    number: int,
    ids: Vector,
    inputs: InputWeights,
    weights: ElmanStepWeights,
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
    step_product(h, weights.W[number], buffers.a, packed)
    step_forward(buffers.a, table, rows, weights.b[number], h, weights.relu, tile)


def _layer_weights(config: ModelConfig, parameters: Mapping[str, Vector], _: Mapping[str, Vector]) -> ElmanWeights:
    return ElmanWeights(parameters["W"], parameters["b"], config.activation == "relu")


def _saved(_: ModelConfig, _number: int, rows: int, hidden: int) -> Saved:
    return Saved(da=aligned_zeros(rows, hidden))


def _carried(streams: int, hidden: int) -> Carried:
    return Carried(h=aligned_zeros(streams, hidden))


def _gradients(states: State, saved: Saved, gradient: Mapping[str, Vector], outer: OuterProduct) -> None:
    outer(states.h[: len(saved.da)], saved.da, gradient["W"])


def _step_weights(config: ModelConfig, layers: Sequence[Mapping[str, Vector]], pack: Pack) -> ElmanStepWeights:
    b, relu = np.stack([layer["b"] for layer in layers]), config.activation == "relu"
    return ElmanStepWeights(W=pack([layer["W"] for layer in layers]), b=b, relu=relu)


def _step_buffers(_: ElmanStepWeights, streams: int, hidden: int) -> StepBuffers:
    return StepBuffers(a=aligned_zeros(streams, hidden), table=aligned_zeros(streams, hidden), rows=np.arange(streams))


KERNELS = CellKernels(
    layer_weights=_layer_weights,
    saved=_saved,
    carried=_carried,
    forward=forward,
    backward=backward,
    gradients=_gradients,
    StepWeights=ElmanStepWeights,
    step_weights=_step_weights,
    step_buffers=_step_buffers,
    step=step,
    scales_input=False,
)

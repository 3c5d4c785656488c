"""`CellKernels`: the compiled functions of one recurrent cell, with the signatures that `Shard` and `stepping` call.

States over time have (T + 1) B rows, because they begin with the state before the first step. `gemm.step_product`
defines the form of the matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from recurra.config import ModelConfig
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.gemm import step_product
from recurra.engines.kernels.lanes import Vector

Pack: TypeAlias = Callable[[list[Vector]], Vector]
OuterProduct: TypeAlias = Callable[[Vector, Vector, Vector], None]


class Inputs(NamedTuple):
    """The products U x of every step of a layer: row rows[i] of `table` belongs to row i of the arrays over time.

    table: (., G H), the products.
    rows: (T B,) integers.
    """

    table: Vector
    rows: Vector


class InputWeights(NamedTuple):
    """The input weights of all layers.

    table: (K, G H), U^T of the first layer.
    U: (L, ., .), the U of each layer in the form of `step_product`.
    """

    table: Vector
    U: Vector


@dataclass(frozen=True, kw_only=True)
class CellKernels:
    """The kernels of one cell: NamedTuples of arrays that the cell defines, and functions of fixed signatures.

    Functions for training, one layer at a time:

    layer_weights(config, parameters, tables): return the layer's weights in the cell's NamedTuple.
        parameters: the layer's parameters by name. The matrices are transposed for `forward`, and have the orientation
            of `network/cells` for `backward`.
        tables: the first layer's matrices that have one row for each symbol, by name, for example U^T; else empty.
    saved(config, number, rows, hidden): return the buffers of layer `number` that `forward` fills for `backward`, and
        `da` (rows, G H), the gradient of U x + b, which `backward` fills. Each buffer has `rows` = T B rows, or no rows
        if the layer does not use it.
    carried(streams, hidden): return zeros for the gradients that pass from each time step to the step before it. The
        first field is dh (B, H).
    forward(inputs, weights, states, saved, steps, packed, tile): run a layer through all steps.
        inputs: U x of all steps, an `Inputs`.
        weights: the NamedTuple from `layer_weights`.
        states: each field ((T + 1) B, H); the first B rows are read, the others written.
        saved: the buffers from `saved`; written.
        steps: T.
        packed: (256, 8), workspace of `gemm`; overwritten.
        tile: width of the vectors.
    backward(dh_out, weights, states, saved, carried, steps, packed, tile): backpropagate through all steps.
        dh_out: (T B, H), gradient of the loss with respect to h from the layer above.
        weights, states, steps, packed, tile: as in `forward`; the states are only read.
        saved: the buffers that `forward` filled; `da` is written. It may be the memory of another buffer, so that
            `backward` may run only once after `forward`.
        carried: the gradient that enters the last step; overwritten with the gradient before the first step.
    gradients(states, saved, gradient, outer): write the gradients of all parameters of a layer, except U and b.
        gradient: the arrays to write, by the parameters' names.
        outer(x, dy, target): compute target = x^T dy.
    scales_input: True if the cell multiplies U by itself. Then `forward` above the first layer receives x (T B, H) as
        the table of `inputs`, `saved.dx` is the gradient of x, and `gradients` writes the gradients of U and b too.

    Functions for a trained network, one time step of all streams at a time:

    StepWeights: the NamedTuple of the stacked weights of all layers; `cell_registry.step` selects the cell by its type.
    step_weights(config, layers, pack): return these weights.
        layers: the parameters of each layer by name.
        pack: a function that stacks matrices.
    step_buffers(weights, streams, hidden): return the arrays that `step` overwrites, except the states.
    step(number, ids, inputs, weights, states, buffers, packed, tile): advance one layer by one time step.
        number: index of the layer.
        ids: (B,) integers, the symbols that the first layer reads; a higher layer reads h of the layer below.
        inputs: the `InputWeights`.
        weights: the `StepWeights`.
        states: each field (L, B, H); the rows of this layer are overwritten.
        buffers: from `step_buffers`; overwritten.
        packed, tile: as in `forward`.
    """

    layer_weights: Callable[[ModelConfig, Mapping[str, Vector], Mapping[str, Vector]], Any]
    saved: Callable[[ModelConfig, int, int, int], Any]
    carried: Callable[[int, int], Any]
    forward: Callable[..., None]
    backward: Callable[..., None]
    gradients: Callable[[Any, Any, Mapping[str, Vector], OuterProduct], None]
    StepWeights: type[Any]
    step_weights: Callable[[ModelConfig, Sequence[Mapping[str, Vector]], Pack], Any]
    step_buffers: Callable[[Any, int, int], Any]
    step: Callable[..., None]
    scales_input: bool


def layer_weights(kind: type[Any]) -> Callable[[ModelConfig, Mapping[str, Vector], Mapping[str, Vector]], Any]:
    """Return the `CellKernels.layer_weights` of a cell whose weights are all parameters.

    Args:
        kind: the NamedTuple of the weights; its fields are names of parameters.
    Returns: the function.
    """
    return lambda _, parameters, _tables: kind(**{name: parameters[name] for name in kind._fields})


def step_weights(kind: type[Any]) -> Callable[[ModelConfig, Sequence[Mapping[str, Vector]], Pack], Any]:
    """Return the `CellKernels.step_weights` of a cell whose weights are all parameters.

    Args:
        kind: the NamedTuple of the weights; its fields are names of parameters.
    Returns: the function. It packs matrices and stacks biases as (L, 1, .).
    """

    def weights(_: ModelConfig, layers: Sequence[Mapping[str, Vector]], pack: Pack) -> Any:
        values = {name: [layer[name] for layer in layers] for name in kind._fields}
        return kind(
            **{name: np.stack(arrays) if len(arrays[0]) == 1 else pack(arrays) for name, arrays in values.items()}
        )

    return weights


@strict
def step_inputs(
    number: int, ids: Vector, inputs: InputWeights, h: Vector, table: Vector, rows: Vector, packed: Vector
) -> Inputs:
    """Return the products U x of one layer for one time step.

    Args:
        number: index of the layer.
        ids: (B,) integers, the symbols that the first layer reads.
        inputs: the input weights.
        h: (L, B, H), the hidden states; a higher layer reads h of the layer below.
        table: (B, G H), buffer for the products; overwritten above the first layer.
        rows: (B,) integers 0, 1, 2, …
        packed: (256, 8), workspace of `gemm`; overwritten.
    Returns: the products.
    """
    if number == 0:
        return Inputs(inputs.table, ids)
    step_product(h[number - 1], inputs.U[number], table, packed)
    return Inputs(table, rows)

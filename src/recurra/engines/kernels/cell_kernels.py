"""`CellKernels`: the compiled side of one recurrent cell, as `Shard` and `stepping` use it.

T time steps, B streams, H hidden units and K symbols (both padded to multiples of 16), G gates, L layers. Arrays over
time have T B rows, row t B + s for step t of stream s; those of the state have B rows more, and begin with the state
before the first step. Matrices stand as `gemm.step_product` takes them.
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

OptionalVector: TypeAlias = Any  # a Vector or None; Numba compiles each case by itself
Pack: TypeAlias = Callable[[list[Vector]], Vector]
OuterProduct: TypeAlias = Callable[[Vector, Vector, Vector], None]


class Inputs(NamedTuple):
    """U x of every step of a layer: row rows[i] of `table` (., G H) belongs to row i of the arrays over time."""

    table: Vector
    rows: Vector


class InputWeights(NamedTuple):
    """The input weights of all layers: U^T of the first one, `table` (K, G H), and U^T of each, U (L, ., .)."""

    table: Vector
    U: Vector


@dataclass(frozen=True, kw_only=True)
class CellKernels:
    """One cell: NamedTuples of arrays that the cell chooses, and functions of one signature.

    layer_weights(config, parameters, tables): the weights of one layer as `forward` and `backward` take them, from its
        parameters by name; the matrices are transposed for `forward` and as in the reference for `backward`; `tables`
        holds the matrices of the first layer that have one row for each character, U^T for example, and is empty above
    saved(config, number, rows, hidden): the buffers of layer `number` that `forward` fills for `backward`, and `da`
        (rows, G H), the gradient of U x + b, which `backward` fills; each has so many rows (T B), or none
    carried(streams, hidden): zeros for the gradient that passes from step to step, the first field dh (B, H)
    forward(inputs, weights, states, saved, steps, packed, tile): all steps of one layer
    backward(dh_out, weights, states, saved, carried, steps, packed, tile): all steps, from the last; dh_out (T B, H) is
        the gradient from above
    gradients(states, saved, gradient, outer): write the gradients of all parameters of a layer but U and b, by name;
        outer(x, dy, target) is target = x^T dy
    scales_input: True for a cell that multiplies U itself: above the first layer its `forward` gets x (T B, H) as the
        table of `inputs`, `saved.dx` is the gradient of x, and `gradients` writes those of U and b too

    StepWeights: the NamedTuple of the weights of all layers, stacked, by which `step` is found
    step_weights(config, layers, pack): these weights, from the parameters of each layer by name; `pack` stacks matrices
    step_buffers(weights, streams, hidden): the arrays that `step` writes besides the states
    step(number, ids, inputs, weights, states, buffers, packed, tile): layer `number` reads ids (S,), or h of the layer
        below; its states (L, S, H) advance
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
    """Return the `layer_weights` of a cell whose weights are of `kind`: its fields are the names of parameters."""
    return lambda _, parameters, _tables: kind(**{name: parameters[name] for name in kind._fields})


def step_weights(kind: type[Any]) -> Callable[[ModelConfig, Sequence[Mapping[str, Vector]], Pack], Any]:
    """Return the `step_weights` of such a cell: matrices by `pack`, biases (L, 1, .)."""

    def weights(_: ModelConfig, layers: Sequence[Mapping[str, Vector]], pack: Pack) -> Any:
        found = {name: [layer[name] for layer in layers] for name in kind._fields}
        return kind(**{name: np.stack(own) if len(own[0]) == 1 else pack(own) for name, own in found.items()})

    return weights


@strict
def step_inputs(
    number: int, ids: Vector, inputs: InputWeights, h: Vector, table: Vector, rows: Vector, packed: Vector
) -> Inputs:
    """Return U x of layer `number` for one step; x is ids (S,) in the first layer, else h (L, S, H) of the layer below.

    table (S, G H) is a buffer; rows (S,) counts from 0.
    """
    if number == 0:
        return Inputs(inputs.table, ids)
    step_product(h[number - 1], inputs.U[number], table, packed)
    return Inputs(table, rows)

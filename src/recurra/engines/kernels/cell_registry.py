"""The kernels of every cell, by the cell's name, and the step of the cell to which a NamedTuple of weights belongs."""

from __future__ import annotations

from typing import Any

from numba.extending import overload

from recurra.engines.kernels import elman_layer, gru_layer, lstm_layer, mingru_layer, mogrifier_layer
from recurra.engines.kernels.cell_kernels import CellKernels, InputWeights
from recurra.engines.kernels.compilation import CALLEE
from recurra.engines.kernels.lanes import Tile, Vector

KERNELS: dict[str, CellKernels] = {
    "elman": elman_layer.KERNELS,
    "lstm": lstm_layer.KERNELS,
    "gru": gru_layer.KERNELS,
    "mingru": mingru_layer.KERNELS,
    "mogrifier": mogrifier_layer.KERNELS,
}
STEPS = {kernels.StepWeights: kernels.step for kernels in KERNELS.values()}


def step(
    number: int,
    ids: Vector,
    inputs: InputWeights,
    weights: Any,
    states: Any,
    buffers: Any,
    packed: Vector,
    tile: Tile,
) -> None:
    """Advance one layer by one time step, with the step of the cell to which `weights` belong.

    This function runs if the JIT is off; compiled kernels call the cell's step directly.

    Args:
        number, ids, inputs, weights, states, buffers, packed, tile: as in `CellKernels.step`.
    """
    STEPS[type(weights)](number, ids, inputs, weights, states, buffers, packed, tile)


# No annotations here: Numba requires the signatures of both functions to be equal, and compares annotations too.
@overload(step, jit_options=CALLEE)
def _overload_step(number, ids, inputs, weights, states, buffers, packed, tile):
    kernel = STEPS[weights.instance_class]
    return lambda number, ids, inputs, weights, states, buffers, packed, tile: kernel(
        number, ids, inputs, weights, states, buffers, packed, tile
    )

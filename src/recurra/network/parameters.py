"""The parameters of a network: their names, shapes, initial values and validation.

The parameters are a dict of arrays in a fixed order: for each layer l the parameters of its cell (`layers.l.U`,
`layers.l.W`, `layers.l.b`; in a GRU also `layers.l.b_n`), then `V` and `c` of the output layer. Layer 0 reads
characters; every other layer reads the H hidden units of the layer below.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from recurra.errors import ModelError
from recurra.network.cells import equations_of
from recurra.network.initialization import initial_values
from recurra.system import random_streams

if TYPE_CHECKING:
    from recurra.config import ModelConfig

Array = npt.NDArray[Any]
Parameters = Mapping[str, Array]


def parameter_shapes(config: ModelConfig, symbols: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of each parameter by name, in the fixed order, for K = `symbols` characters."""
    m = config.hidden_size
    shapes: dict[str, tuple[int, ...]] = {}
    equations = equations_of(config)
    for layer in range(config.layers):
        cell_shapes = equations.shapes(symbols if layer == 0 else m, m)
        shapes |= {f"layers.{layer}.{name}": shape for name, shape in cell_shapes.items()}
    return shapes | {"V": (symbols, m), "c": (symbols,)}


def symbol_axes(config: ModelConfig) -> dict[str, int]:
    """Return, by name, the axis of length K of each parameter that has such an axis."""
    axes = {}
    for (name, one), two in zip(parameter_shapes(config, 1).items(), parameter_shapes(config, 2).values(), strict=True):
        different = [axis for axis, sizes in enumerate(zip(one, two, strict=True)) if sizes[0] != sizes[1]]
        if different:
            axes[name] = different[0]
    return axes


def initialize(config: ModelConfig, symbols: int, *, seed: int, scale: float | None = 0.01) -> dict[str, Array]:
    """Return float32 parameters: weights from N(0, scale^2) and zero biases, or with `scale` None `initial_values`.

    Each weight matrix is filled row by row from a random stream that depends only on `seed` and the matrix's name.
    Therefore the values of a matrix do not depend on the shapes of the other matrices.
    """
    shapes = parameter_shapes(config, symbols)
    if scale is None:
        return {name: initial_values(config, name, shape, seed) for name, shape in shapes.items()}
    return {
        name: _normal(shape, seed, name, scale) if len(shape) == 2 else np.zeros(shape, np.float32)
        for name, shape in shapes.items()
    }


def _normal(shape: tuple[int, ...], seed: int, name: str, scale: float) -> Array:
    rows, columns = shape
    numbers = random_streams.stream(seed, name).normal(rows * columns)
    return (numbers * scale).astype(np.float32).reshape(shape)


def layer_parameters(parameters: Parameters, layer: int) -> dict[str, Array]:
    """Return the parameters of one layer by their names in the cell, such as U."""
    prefix = f"layers.{layer}."
    return {name.removeprefix(prefix): array for name, array in parameters.items() if name.startswith(prefix)}


def count(parameters: Parameters) -> int:
    """Return the number of elements of all parameters together."""
    return sum(array.size for array in parameters.values())


def digest(parameters: Parameters) -> str:
    """Return the SHA-256 digest of the parameters in hex; a model's `model_sha256` is this digest.

    For each parameter, in the order of the names, the digest covers a line "NAME DTYPE SHAPE", with SHAPE like 100x80,
    and the elements as little-endian bytes in row-major order.
    """
    total = hashlib.sha256()
    for name in sorted(parameters):
        array = np.asarray(parameters[name])
        total.update(f"{name} {array.dtype.name} {_shape_text(array.shape)}\n".encode())
        total.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return total.hexdigest()


def check_parameters(config: ModelConfig, symbols: int, parameters: Parameters) -> None:
    """Raise ModelError unless `parameters` are finite float32 arrays with the names and shapes of `config`."""
    shapes = parameter_shapes(config, symbols)
    for name in parameters:
        if name not in shapes:
            raise ModelError(f"unknown parameter `{name}`; expected {', '.join(shapes)}.")
    for name, shape in shapes.items():
        if name not in parameters:
            raise ModelError(f"parameter `{name}` is missing; expected {', '.join(shapes)}.")
        array = parameters[name]
        if array.shape != shape:
            got = _shape_text(array.shape)
            raise ModelError(f"parameter `{name}` must have shape {_shape_text(shape)}; got {got}.")
        if array.dtype != np.float32:
            raise ModelError(f"parameter `{name}` must be float32; got {array.dtype.name}.")
        if not np.isfinite(array).all():
            bad = array[~np.isfinite(array)][0]
            raise ModelError(f"parameter `{name}` must be finite; got {bad}.")


def _shape_text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"

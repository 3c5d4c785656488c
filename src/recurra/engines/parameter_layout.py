"""Arrange all parameters in one flat array with padding for the kernels, and in panels for matrix products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.config import ModelConfig
from recurra.engines.kernels import gemm, softmax
from recurra.engines.kernels.cell_registry import KERNELS
from recurra.engines.kernels.lanes import Vector, aligned_zeros
from recurra.engines.kernels.products import transpose_matrix
from recurra.network.cells import cell_of
from recurra.network.parameters import layer_parameters, parameter_shapes, symbol_axes

Array = NDArray[Any]
PAD = gemm.PANEL
FIRST_LAYER = "layers.0."
OVER_TIME = {"U", "V"}  # matrices whose products are computed for all steps at once


def padded_size(size: int) -> int:
    """Return the next multiple of 16, at least `size`."""
    return -(-size // PAD) * PAD


def tile_width(width: int) -> tuple[int, ...]:
    """Return the widest tile of at most 64 lanes that divides `width`."""
    return (0,) * next(groups for groups in (8, 4, 2) if width % (8 * groups) == 0)


class Slot(NamedTuple):
    """The place of a parameter in the flat array.

    A matrix is stored transposed, (inputs, gates · size), with padding after the rows and after each gate's columns.
    A parameter with `is_table` True has one row for each character and is not transposed.
    """

    start: int
    rows: int
    gates: int
    size: int
    inputs: int
    is_table: bool = False

    @property
    def width(self) -> int:
        """The number of columns, with padding."""
        return self.gates * padded_size(self.size)

    def view(self, flat: Vector) -> Vector:
        """Return the padded matrix (rows, width), a view of `flat` (1, N)."""
        return flat[0, self.start : self.start + self.rows * self.width].reshape(self.rows, self.width)

    def put(self, flat: Vector, value: Array) -> None:
        """Copy a parameter into `flat`, from its shape in `network.parameters`."""
        value = value.T if self.is_table else value
        self.inner(flat)[...] = value.reshape(self.gates, self.size, self.inputs).transpose(2, 0, 1)

    def get(self, flat: Vector, shape: tuple[int, ...]) -> Vector:
        """Return a copy of the parameter in `flat`, with its `shape` in `network.parameters`."""
        view = self.view(flat)
        transposed = view.T if self.rows == 1 else aligned_zeros(self.width, self.rows)
        if self.rows > 1:
            transpose_matrix(view, transposed)  # ten times as fast as NumPy
        cube = transposed.reshape(self.gates, padded_size(self.size), self.rows)
        inner = np.array(cube[:, : self.size, : self.inputs], order="C")
        return np.ascontiguousarray(inner[0].T) if self.is_table else inner.reshape(shape)

    def inner(self, flat: Vector) -> Vector:
        """Return the parameter without padding (inputs, gates, size), a view of `flat`."""
        cube = self.view(flat).reshape(self.rows, self.gates, padded_size(self.size))
        return cube[: self.inputs, :, : self.size]


class Layout:
    """The arrangement of all parameters of a network in one flat array, with padding."""

    def __init__(self, config: ModelConfig, symbols: int) -> None:
        self.shapes = parameter_shapes(config, symbols)
        self.slots: dict[str, Slot] = {}
        self.length = 0
        cell = cell_of(config)
        axes = symbol_axes(config)
        for name, reference_shape in self.shapes.items():
            is_table = name.startswith(FIRST_LAYER) and axes.get(name) == 0
            shape = reference_shape[::-1] if is_table else reference_shape
            gates = len(cell.gates) if name.split(".")[-1] in cell.stacked else 1
            inputs = shape[1] if len(shape) == 2 else 1
            rows = padded_size(inputs) if len(shape) == 2 else 1
            slot = Slot(self.length, rows, gates, shape[0] // gates, inputs, is_table)
            self.slots[name] = slot
            self.length += slot.rows * slot.width

    def pack(self, values: Mapping[str, Array], prefix: str = "") -> Vector:
        """Return the flat array (1, N) of `values`, whose names begin with `prefix`."""
        flat = aligned_zeros(1, self.length)
        for name, slot in self.slots.items():
            slot.put(flat, values[prefix + name])
        return flat

    def pack_weights(self, parameters: Mapping[str, Array]) -> Vector:
        """Return the flat array of `parameters`, with biases that give the padding symbols probability 0."""
        flat, bias = self.pack(parameters), self.slots["c"]
        bias.view(flat)[0, bias.size :] = softmax.LOWEST
        return flat

    def unpack(self, flat: Vector, prefix: str = "") -> dict[str, Vector]:
        """Return copies of the values in `flat`, by name."""
        return {prefix + name: slot.get(flat, self.shapes[name]) for name, slot in self.slots.items()}

    def views(self, flat: Vector) -> dict[str, Vector]:
        """Return the padded matrices by name, as views of `flat`."""
        return {name: slot.view(flat) for name, slot in self.slots.items()}


class Panels:
    """The weights in the form that matrix products read: `across` for x W^T and `back` for dy W, by parameter name.

    Matrices are stored in panels. With `single_stream`, the matrices that are multiplied at every time step are stored
    in rows instead. Biases are not changed. `forward` and `backward` hold the same arrays layer by layer, in the form
    that the kernels of the cell read.
    """

    def __init__(self, config: ModelConfig, views: Mapping[str, Vector], single_stream: bool = False) -> None:
        self._config = config
        self._biases = {name: view for name, view in views.items() if len(view) == 1}
        axes = symbol_axes(config)
        tables = {name: view for name, view in views.items() if name.startswith(FIRST_LAYER) and name in axes}
        self._tables = layer_parameters(tables, 0)
        names = [name for name in views if name not in self._biases and name not in tables]
        in_rows = [name for name in names if single_stream and name.split(".")[-1] not in OVER_TIME]
        self._in_panels = {name: views[name] for name in names if name not in in_rows}
        self._in_rows = {name: views[name] for name in in_rows}
        panels = {name: aligned_zeros(*gemm.panel_rows(*view.shape)) for name, view in self._in_panels.items()}
        self.across = self._biases | self._in_rows | panels
        self.back: dict[str, Vector] = {}
        self.forward = self._by_layer(self.across)
        self.backward: list[Any] = []

    def _by_layer(self, parameters: Mapping[str, Vector]) -> list[Any]:
        """Return the weights of each layer in the form that the kernels of the cell read."""
        kernels = KERNELS[self._config.cell]
        layers = range(self._config.layers)
        return [
            kernels.layer_weights(self._config, layer_parameters(parameters, layer), {} if layer else self._tables)
            for layer in layers
        ]

    def fill(self) -> None:
        """Copy the current weights for the forward pass."""
        for name, view in self._in_panels.items():
            gemm.pack(view, self.across[name])

    def fill_backward(self) -> None:
        """Copy the current weights for the backward pass."""
        if not self.back:
            self.back |= self._biases
            self.back |= {name: aligned_zeros(*view.shape[::-1]) for name, view in self._in_rows.items()}
            for name, view in self._in_panels.items():
                self.back[name] = aligned_zeros(*gemm.panel_rows(*view.shape[::-1]))
            self.backward = self._by_layer(self.back)
        for name, view in self._in_panels.items():
            gemm.pack_transposed(view, self.back[name])
        for name, view in self._in_rows.items():
            transpose_matrix(view, self.back[name])

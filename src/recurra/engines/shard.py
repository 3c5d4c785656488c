"""Run some of the streams of a batch forward and backward, in strict float32: any cell, any number of layers."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from recurra.config import ModelConfig
from recurra.engines.kernels import gemm, softmax
from recurra.engines.kernels.cell_kernels import Inputs
from recurra.engines.kernels.cell_registry import KERNELS
from recurra.engines.kernels.lanes import Vector, aligned_zeros
from recurra.engines.kernels.products import clear, column_sums, scale_streams, scatter_add, set_rows
from recurra.engines.parameter_layout import Layout, Panels, padded_size, tile_width
from recurra.network.cells import cell_of
from recurra.network.network import State
from recurra.network.parameters import layer_parameters
from recurra.network.state import map_state

Ids = NDArray[np.integer]


class _Layer:
    """The buffers of one layer in a shard: the states before and after every time step, and the buffers of its cell."""

    def __init__(self, config: ModelConfig, number: int, steps: int, streams: int, width: int) -> None:
        n, cell = steps * streams, cell_of(config)
        self.states = cell.state._make(aligned_zeros(n + streams, width) for _ in cell.state._fields)
        self.saved = KERNELS[cell.name].saved(config, number, n, width)
        self.x = aligned_zeros(n, width)
        self.table = aligned_zeros(n, self.saved.da.shape[1])

    def rows(self, start: int, n: int, streams: int) -> _Layer:
        """Return a view of n = steps · `streams` rows from `start` on."""
        part = copy.copy(self)
        part.states = map_state(lambda field: field[start : start + n + streams], self.states)
        part.saved = map_state(lambda field: field[start : start + n], self.saved)
        part.x, part.table = self.x[start : start + n], self.table[start : start + n]
        return part


class Shard:
    """Some of the streams of a batch: their states, their buffers, and their part of the gradient.

    A row of a buffer is a time step of one stream; a sequence has n = T · B rows, in the order of time.
    """

    def __init__(self, config: ModelConfig, layout: Layout, steps: int, streams: int) -> None:
        self.config, self.steps, self.streams = config, steps, streams
        self.width = padded_size(config.hidden_size)
        symbols = layout.slots["c"].width
        n = steps * streams
        self.layers = [_Layer(config, number, steps, streams, self.width) for number in range(config.layers)]
        self.gradient = aligned_zeros(1, layout.length)
        self.d = layout.views(self.gradient)
        self.d_layers = [layer_parameters(self.d, number) for number in range(config.layers)]
        self.o = aligned_zeros(n, symbols)
        self.sums = aligned_zeros(1, padded_size(n))
        self.dh_out = aligned_zeros(n, self.width)
        self.kernels = KERNELS[config.cell]
        self.carried = self.kernels.carried(streams, self.width)
        self.packed = aligned_zeros(gemm.DEPTH, gemm.ROWS)
        widest = max(len(cell_of(config).gates) * self.width, symbols)
        self.panel_buffer = aligned_zeros(*gemm.panel_rows(gemm.DEPTH, widest))
        self.rows = np.arange(n)
        self.tile = tile_width(self.width)

    def steps_from(self, start: int, steps: int) -> Shard:
        """Return a view of `steps` time steps from `start` on; the view shares the gradient."""
        if steps == self.steps:
            return self
        part, first, n = copy.copy(self), start * self.streams, steps * self.streams
        part.steps, part.layers = steps, [layer.rows(first, n, self.streams) for layer in self.layers]
        part.o, part.dh_out = self.o[first : first + n], self.dh_out[first : first + n]
        part.sums, part.rows = self.sums[:, : padded_size(n)], self.rows[:n]
        return part

    def run(self, p: Mapping[str, Vector], panels: Panels, x: Ids, y: Ids, masks: Vector | None) -> float:
        """Run forward and backward on inputs x and targets y (T, B), write `gradient`, and return the loss in nats.

        The state after the last time step becomes the state before the first one.
        """
        ids, targets = np.ascontiguousarray(x, np.int64).ravel(), np.ascontiguousarray(y, np.int64).ravel()
        self.read(p, panels, ids, masks)
        loss = self.backward(panels, ids, targets, masks)
        self.carry()
        return loss

    def backward(self, panels: Panels, ids: Ids, targets: Ids, masks: Vector | None = None) -> float:
        """After `read` of the same ids (T B,), write `gradient` and return the loss in nats.

        `o` is overwritten with the gradient of the logits.
        """
        loss = float(softmax.softmax_loss(self.o, targets, self.sums))
        self._output_backward(panels)
        for number in reversed(range(len(self.layers))):
            self._layer_backward(panels, number, ids, masks)
        return loss

    def read(self, p: Mapping[str, Vector], panels: Panels, ids: Ids, masks: Vector | None = None) -> None:
        """Run forward on ids (T B,), and write the logits of every time step to `o`."""
        for number, layer in enumerate(self.layers):
            inputs, weights = self._inputs(p, panels, number, ids, masks), panels.forward[number]
            self.kernels.forward(inputs, weights, layer.states, layer.saved, self.steps, self.packed, self.tile)
        h = self.layers[-1].states.h[self.streams :]
        set_rows(self.o, p["c"], 0, softmax.PAIR)
        gemm.multiply(h, False, panels.across["V"], self.width, self.o, self.packed, True)

    def carry(self) -> None:
        """Copy the state after the last time step to the place of the state before the first one."""
        for layer in self.layers:
            for state in layer.states:
                state[: self.streams] = state[-self.streams :]

    def state(self) -> State:
        """Return a copy of the state before the first time step, each field (L, B, H)."""
        m = self.config.hidden_size
        fields = zip(*(layer.states for layer in self.layers), strict=True)
        unpadded = ([field[: self.streams, :m] for field in layer_fields] for layer_fields in fields)
        state: State = cell_of(self.config).state._make(map(np.stack, unpadded))
        return state

    def put_state(self, state: State) -> None:
        """Set the state before the first time step; each field is (L, B, H)."""
        for name, field in state._asdict().items():
            for layer, value in zip(self.layers, field, strict=True):
                getattr(layer.states, name)[: self.streams, : value.shape[1]] = value

    def _inputs(self, p: Mapping[str, Vector], panels: Panels, number: int, ids: Ids, masks: Vector | None) -> Inputs:
        """Return U x of every time step, or x itself for a cell that scales it."""
        if number == 0:
            return Inputs(p["layers.0.U"], ids)
        layer, below = self.layers[number], self.layers[number - 1]
        if masks is None:
            layer.x = below.states.h[self.streams :]
        else:
            scale_streams(layer.x, below.states.h[self.streams :], masks[number - 1])
        if self.kernels.scales_input:
            return Inputs(layer.x, self.rows)
        gemm.multiply(layer.x, False, panels.across[f"layers.{number}.U"], self.width, layer.table, self.packed, False)
        return Inputs(layer.table, self.rows)

    def _output_backward(self, panels: Panels) -> None:
        """Write the gradients of V, c and the top layer's h, computed from the gradient of the logits in `o`."""
        h = self.layers[-1].states.h[self.streams :]
        gemm.multiply_outer(h, self.o, self.d["V"], self.packed, self.panel_buffer)
        column_sums(self.d["c"], self.o)
        gemm.multiply(self.o, False, panels.back["V"], self.o.shape[1], self.dh_out, self.packed, False)

    def _outer(self, x: Vector, dy: Vector, target: Vector) -> None:
        """Write x^T dy to `target`."""
        gemm.multiply_outer(x, dy, target, self.packed, self.panel_buffer)

    def _layer_backward(self, panels: Panels, number: int, ids: Ids, masks: Vector | None) -> None:
        layer, weights, d = self.layers[number], panels.backward[number], self.d_layers[number]
        for field in self.carried:
            clear(field)
        self.kernels.backward(
            self.dh_out, weights, layer.states, layer.saved, self.carried, self.steps, self.packed, self.tile
        )
        self.kernels.gradients(layer.states, layer.saved, d, self._outer)
        dx = layer.saved.dx if self.kernels.scales_input else self._input_backward(panels, number, ids)
        if number == 0:
            return
        if masks is not None:
            scale_streams(self.dh_out, dx, masks[number - 1])
        elif dx is not self.dh_out:
            self.dh_out[:] = dx

    def _input_backward(self, panels: Panels, number: int, ids: Ids) -> Vector:
        """Write the gradients of U and b; return the gradient of x, for a layer above the first."""
        layer, d = self.layers[number], self.d_layers[number]
        da = layer.saved.da
        column_sums(d["b"], da)
        if number == 0:
            clear(d["U"])
            scatter_add(d["U"], ids, da)
        else:
            self._outer(layer.x, da, d["U"])
            U = panels.back[f"layers.{number}.U"]
            gemm.multiply(da, False, U, da.shape[1], self.dh_out, self.packed, False)
        return self.dh_out

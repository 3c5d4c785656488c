"""Some of the streams of a batch in strict float32: any cell, any number of layers, forward and backward."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from recurra.config import ModelConfig
from recurra.engines.kernels import elman_layer, gemm, gru_layer, lstm_layer, softmax
from recurra.engines.kernels.lanes import Vector, aligned_zeros
from recurra.engines.kernels.products import clear, column_sums, scale_streams, scatter_add, set_rows
from recurra.engines.parameter_layout import Layout, Panels, padded, tile_of
from recurra.network.cells import cell_of
from recurra.network.network import State

Ids = NDArray[np.integer]


class _Layer:
    """One layer's memory in a shard: states before and after every step, and what its cell keeps."""

    def __init__(self, config: ModelConfig, steps: int, streams: int, width: int) -> None:
        n, cell, gates = steps * streams, config.cell, cell_of(config).gates
        self.h = aligned_zeros(n + streams, width)
        self.c = aligned_zeros(n + streams, width) if cell == "lstm" else None
        self.gates = aligned_zeros(streams if cell == "elman" else n, gates * width)
        self.da = aligned_zeros(n, gates * width)
        self.q = aligned_zeros(n, width) if cell == "gru" else None
        self.dq = aligned_zeros(n, gates * width) if cell == "gru" else self.da
        self.x = aligned_zeros(n, width)
        self.table = aligned_zeros(n, gates * width)

    def rows(self, start: int, n: int, streams: int) -> _Layer:
        """The part of n = steps · `streams` rows from `start` on, in the same memory."""
        part, states, own = copy.copy(self), slice(start, start + n + streams), slice(start, start + n)
        part.h, part.c = self.h[states], None if self.c is None else self.c[states]
        part.q = None if self.q is None else self.q[own]
        for name in ("da", "dq", "x", "table"):
            setattr(part, name, getattr(self, name)[own])
        if len(self.gates) > streams:  # else they are of one step, and not kept
            part.gates = self.gates[own]
        return part


class Shard:
    """Some of the streams: their states, their memory, and their part of the gradient."""

    def __init__(self, config: ModelConfig, layout: Layout, steps: int, streams: int) -> None:
        self.config, self.steps, self.streams = config, steps, streams
        self.width = padded(config.hidden_size)
        symbols = layout.slots["c"].width
        n = steps * streams
        self.layers = [_Layer(config, steps, streams, self.width) for _ in range(config.layers)]
        self.gradient = aligned_zeros(1, layout.length)
        self.d = layout.views(self.gradient)
        self.o = aligned_zeros(n, symbols)
        self.sums = aligned_zeros(1, padded(n))
        self.dh_out = aligned_zeros(n, self.width)
        self.dh, self.dc = aligned_zeros(streams, self.width), aligned_zeros(streams, self.width)
        self.packed = aligned_zeros(gemm.DEPTH, gemm.ROWS)
        widest = max(cell_of(config).gates * self.width, symbols)
        self.panel_room = aligned_zeros(*gemm.panel_rows(gemm.DEPTH, widest))
        self.rows = np.arange(n)
        self.tile, self.symbol_tile = tile_of(self.width), tile_of(symbols)

    def steps_from(self, start: int, steps: int) -> Shard:
        """The part of `steps` steps from `start` on, in the same memory; the gradient is shared."""
        if steps == self.steps:
            return self
        part, first, n = copy.copy(self), start * self.streams, steps * self.streams
        part.steps, part.layers = steps, [layer.rows(first, n, self.streams) for layer in self.layers]
        part.o, part.dh_out = self.o[first : first + n], self.dh_out[first : first + n]
        part.sums, part.rows = self.sums[:, : padded(n)], self.rows[:n]
        return part

    def run(self, p: Mapping[str, Vector], panels: Panels, x: Ids, y: Ids, masks: Vector | None) -> float:
        """Forward and backward on ids x, y (T, B); the loss in nats, the gradient in `gradient`; h is carried."""
        ids, targets = np.ascontiguousarray(x, np.int64).ravel(), np.ascontiguousarray(y, np.int64).ravel()
        self.read(p, panels, ids, masks)
        loss = self.backward(panels, ids, targets, masks)
        self.carry()
        return loss

    def backward(self, panels: Panels, ids: Ids, targets: Ids, masks: Vector | None = None) -> float:
        """The loss in nats, after `read` of these ids (T B,); its gradient in `gradient`, that of the logits in `o`."""
        loss = float(softmax.softmax_loss(self.o, targets, self.sums, self.symbol_tile))
        self._output_backward(panels)
        for number in reversed(range(len(self.layers))):
            self._layer_backward(panels, number, ids, masks)
        return loss

    def read(self, p: Mapping[str, Vector], panels: Panels, ids: Ids, masks: Vector | None = None) -> None:
        """Forward on ids (T B,): the logits of every step in `o`."""
        for number, layer in enumerate(self.layers):
            table, rows = self._input(p, panels, number, ids, masks)
            self._cell_forward(p, panels, number, layer, table, rows)
        h = self.layers[-1].h[self.streams :]
        set_rows(self.o, p["c"], 0, self.symbol_tile)
        gemm.multiply(h, False, panels.across["V"], self.width, self.o, self.packed, True)

    def carry(self) -> None:
        """The state after the last step becomes that before the first."""
        for layer in self.layers:
            for state in (layer.h, layer.c):
                if state is not None:
                    state[: self.streams] = state[-self.streams :]

    def state(self) -> State:
        """A copy of the state before the first step, each field (L, B, m)."""
        kind, m = cell_of(self.config).State, self.config.hidden_size
        fields = ([getattr(layer, field)[: self.streams, :m] for layer in self.layers] for field in kind._fields)
        state: State = kind(*map(np.stack, fields))
        return state

    def put_state(self, state: State) -> None:
        """Begin from `state`, each field (L, B, m)."""
        for field, value in state._asdict().items():
            for layer, own in zip(self.layers, value, strict=True):
                getattr(layer, field)[: self.streams, : own.shape[1]] = own

    def _input(
        self, p: Mapping[str, Vector], panels: Panels, number: int, ids: Ids, masks: Vector | None
    ) -> tuple[Vector, Ids]:
        """U x of every step: rows of a table, and which row is whose."""
        if number == 0:
            return p["layers.0.U"], ids
        layer, below = self.layers[number], self.layers[number - 1]
        if masks is None:
            layer.x = below.h[self.streams :]
        else:
            scale_streams(layer.x, below.h[self.streams :], masks[number - 1])
        gemm.multiply(layer.x, False, panels.across[f"layers.{number}.U"], self.width, layer.table, self.packed, False)
        return layer.table, self.rows

    def _cell_forward(
        self, p: Mapping[str, Vector], panels: Panels, number: int, layer: _Layer, table: Vector, rows: Ids
    ) -> None:
        name = f"layers.{number}."
        b, W, steps = p[name + "b"], panels.across[name + "W"], self.steps
        room = (steps, self.packed, self.tile)
        if layer.c is not None:
            lstm_layer.forward(layer.gates, table, rows, b, W, layer.h, layer.c, *room)
        elif layer.q is not None:
            gru_layer.forward(layer.gates, table, rows, b, p[name + "b_n"], W, layer.h, layer.q, *room)
        else:
            relu = self.config.activation == "relu"
            elman_layer.forward(layer.gates, table, rows, b, W, layer.h, steps, relu, self.packed, self.tile)

    def _output_backward(self, panels: Panels) -> None:
        """The gradients of V, c and of the top layer's h, from that of the logits in `o`."""
        h = self.layers[-1].h[self.streams :]
        gemm.multiply_outer(h, self.o, self.d["V"], self.packed, self.panel_room)
        column_sums(self.d["c"], self.o)
        gemm.multiply(self.o, False, panels.back["V"], self.o.shape[1], self.dh_out, self.packed, False)

    def _layer_backward(self, panels: Panels, number: int, ids: Ids, masks: Vector | None) -> None:
        layer, name = self.layers[number], f"layers.{number}."
        self._cell_backward(panels.back[name + "W"], layer)
        before = layer.h[: -self.streams]
        gemm.multiply_outer(before, layer.dq, self.d[name + "W"], self.packed, self.panel_room)
        column_sums(self.d[name + "b"], layer.da)
        if layer.q is not None:
            column_sums(self.d[name + "b_n"], layer.dq[:, 2 * self.width :])
        if number == 0:
            clear(self.d[name + "U"])
            scatter_add(self.d[name + "U"], ids, layer.da)
            return
        gemm.multiply_outer(layer.x, layer.da, self.d[name + "U"], self.packed, self.panel_room)
        gemm.multiply(layer.da, False, panels.back[name + "U"], layer.da.shape[1], self.dh_out, self.packed, False)
        if masks is not None:
            scale_streams(self.dh_out, self.dh_out, masks[number - 1])

    def _cell_backward(self, W: Vector, layer: _Layer) -> None:
        clear(self.dh)
        clear(self.dc)
        room = (self.steps, self.packed, self.tile)
        if layer.c is not None:
            lstm_layer.backward(self.dh_out, layer.gates, layer.c, W, layer.da, self.dh, self.dc, *room)
        elif layer.q is not None:
            gru_layer.backward(
                self.dh_out, layer.gates, layer.q, layer.h, W, layer.da, layer.dq, self.dh, self.dc, *room
            )
        else:
            relu = self.config.activation == "relu"
            elman_layer.backward(self.dh_out, layer.h, W, layer.da, self.dh, self.steps, relu, self.packed, self.tile)

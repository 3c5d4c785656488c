"""Minibatch training in strict float32: any cell, any number of layers, B streams, on several cores.

The streams are cut into shards; each runs forward and backward on its own thread without the GIL, and the gradients are
added in the order of the shards. Every sum has a fixed order, so that the bits depend on the number of shards and on
nothing else: not on the threads, not on the CPU, not on how many processes share the shards.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.config import ModelConfig, TrainingConfig
from recurra.engines.exchange import Exchange
from recurra.engines.kernels import compilation, elman_batch, gemm, gru, lstm, output
from recurra.engines.kernels.lanes import Vector, aligned_zeros
from recurra.engines.kernels.products import (
    clear,
    column_sums,
    scale_streams,
    scatter_add,
    set_rows,
    sum_of_squares,
    transpose_matrix,
)
from recurra.engines.optimizing import FLAT, FlatOptimizer, pieces
from recurra.engines.ranks import Ranks
from recurra.engines.result import TrainResult
from recurra.engines.sharing import default_shards, parts, shard_bounds
from recurra.engines.team import Team
from recurra.machine import usable_cpus
from recurra.network import network, optimizers
from recurra.network.cells import cell_of
from recurra.network.dropout import masks_of_update
from recurra.network.network import State
from recurra.network.parameters import parameter_shapes
from recurra.network.state import map_state

Array = NDArray[Any]
Ids = NDArray[np.integer]
PAD = gemm.PANEL


def padded(size: int) -> int:
    """The next multiple of 16."""
    return -(-size // PAD) * PAD


def tile_of(width: int) -> tuple[int, ...]:
    """The widest tile up to 64 lanes that divides `width`."""
    return (0,) * next(groups for groups in (8, 4, 2) if width % (8 * groups) == 0)


class Slot(NamedTuple):
    """Where a parameter lies in the flat array: as (inputs, gates · size) padded, the transpose of its own shape."""

    start: int
    rows: int
    gates: int
    size: int
    inputs: int

    @property
    def width(self) -> int:
        """Columns, padding included."""
        return self.gates * padded(self.size)

    def view(self, flat: Vector) -> Vector:
        """The padded matrix (rows, width) in `flat` (1, N)."""
        return flat[0, self.start : self.start + self.rows * self.width].reshape(self.rows, self.width)

    def put(self, flat: Vector, value: Array) -> None:
        """Copy a parameter in, from the mission's orientation."""
        self._inner(flat)[...] = value.reshape(self.gates, self.size, self.inputs).transpose(2, 0, 1)

    def get(self, flat: Vector, shape: tuple[int, ...]) -> Vector:
        """Copy a parameter out, in the mission's orientation."""
        view = self.view(flat)
        turned = view.T if self.rows == 1 else aligned_zeros(self.width, self.rows)
        if self.rows > 1:
            transpose_matrix(view, turned)  # ten times as fast as NumPy
        cube = turned.reshape(self.gates, padded(self.size), self.rows)
        return np.array(cube[:, : self.size, : self.inputs], order="C").reshape(shape)

    def _inner(self, flat: Vector) -> Vector:
        cube = self.view(flat).reshape(self.rows, self.gates, padded(self.size))
        return cube[: self.inputs, :, : self.size]


class Layout:
    """All parameters of a network, padded and laid end to end."""

    def __init__(self, config: ModelConfig, symbols: int) -> None:
        self.shapes = parameter_shapes(config, symbols)
        self.slots: dict[str, Slot] = {}
        self.length = 0
        for name, shape in self.shapes.items():
            size = symbols if name in {"V", "c"} else config.hidden_size
            inputs = shape[1] if len(shape) == 2 else 1
            rows = padded(inputs) if len(shape) == 2 else 1
            slot = Slot(self.length, rows, shape[0] // size, size, inputs)
            self.slots[name] = slot
            self.length += slot.rows * slot.width

    def pack(self, values: Mapping[str, Array], prefix: str = "") -> Vector:
        """The flat array (1, N) of `values`, whose names begin with `prefix`."""
        flat = aligned_zeros(1, self.length)
        for name, slot in self.slots.items():
            slot.put(flat, values[prefix + name])
        return flat

    def pack_weights(self, parameters: Mapping[str, Array]) -> Vector:
        """The flat array of `parameters`, in which symbols that are padding have probability 0."""
        flat, bias = self.pack(parameters), self.slots["c"]
        bias.view(flat)[0, bias.size :] = output.LOWEST
        return flat

    def unpack(self, flat: Vector, prefix: str = "") -> dict[str, Vector]:
        """Copies of the values in `flat`, by name."""
        return {prefix + name: slot.get(flat, self.shapes[name]) for name, slot in self.slots.items()}

    def views(self, flat: Vector) -> dict[str, Vector]:
        """The padded matrices in `flat`."""
        return {name: slot.view(flat) for name, slot in self.slots.items()}


class Panels:
    """Weights as products need them: `across` for x W^T, `back` for dy W; by parameter name.

    In panels, but for recurrent weights of a stream `alone`, which stay rows.
    """

    def __init__(self, views: Mapping[str, Vector], alone: bool = False) -> None:
        names = [name for name in views if name.split(".")[-1] in {"U", "W", "V"} and name != "layers.0.U"]
        self._in_panels = {name: views[name] for name in names if not (alone and name.endswith("W"))}
        self._in_rows = {name: views[name] for name in names if name not in self._in_panels}
        self.across = self._in_rows | {
            name: aligned_zeros(*gemm.panel_rows(*view.shape)) for name, view in self._in_panels.items()
        }
        self.back: dict[str, Vector] = {}

    def fill(self) -> None:
        """Take over the weights for going forward."""
        for name, view in self._in_panels.items():
            gemm.pack(view, self.across[name])

    def fill_back(self) -> None:
        """Take over the weights for going backward."""
        if not self.back:
            self.back |= {name: aligned_zeros(*view.shape[::-1]) for name, view in self._in_rows.items()}
            for name, view in self._in_panels.items():
                self.back[name] = aligned_zeros(*gemm.panel_rows(*view.shape[::-1]))
        for name, view in self._in_panels.items():
            gemm.pack_transposed(view, self.back[name])
        for name, view in self._in_rows.items():
            transpose_matrix(view, self.back[name])


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
        loss = float(output.softmax_loss(self.o, targets, self.sums, self.symbol_tile))
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

    def state(self, config: ModelConfig) -> State:
        """A copy of the state before the first step, each field (L, B, m)."""
        kind, m = cell_of(config).State, config.hidden_size
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
            lstm.forward(layer.gates, table, rows, b, W, layer.h, layer.c, *room)
        elif layer.q is not None:
            gru.forward(layer.gates, table, rows, b, p[name + "b_n"], W, layer.h, layer.q, *room)
        else:
            relu = self.config.activation == "relu"
            elman_batch.forward(layer.gates, table, rows, b, W, layer.h, steps, relu, self.packed, self.tile)

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
            lstm.backward(self.dh_out, layer.gates, layer.c, W, layer.da, self.dh, self.dc, *room)
        elif layer.q is not None:
            gru.backward(self.dh_out, layer.gates, layer.q, layer.h, W, layer.da, layer.dq, self.dh, self.dc, *room)
        else:
            relu = self.config.activation == "relu"
            elman_batch.backward(self.dh_out, layer.h, W, layer.da, self.dh, self.steps, relu, self.packed, self.tile)


class BatchedNetwork:
    """The trained network on any number of streams, for sampling and scoring, in the arithmetic of training."""

    reads_side_by_side = True

    def __init__(self, config: ModelConfig, parameters: Mapping[str, Array]) -> None:
        self._config, self._symbols = config, len(parameters["c"])
        self._layout = Layout(config, self._symbols)
        self._views = self._layout.views(self._layout.pack_weights(parameters))
        self._panels = {alone: Panels(self._views, alone) for alone in (False, True)}
        for panels in self._panels.values():
            panels.fill()
        self._shards: dict[tuple[int, int], list[Shard]] = {}

    def log_probabilities(self, ids: Ids, state: State) -> tuple[Vector, State]:
        """log p_t over the next character after each of `ids` (T,) or (T, B), and the last state.

        (T, K) or (T, B, K) float32 in nats; the state's fields are (L, B, m). The same bits whether a sequence is read
        at once or a character at a time, alone or beside others.
        """
        streams = np.ascontiguousarray(ids.reshape(len(ids), -1), np.int64)
        steps, count = streams.shape
        bounds = shard_bounds(count, default_shards(count))
        shards = self._of_size(steps, bounds)

        def read(k: int) -> tuple[Vector, State]:
            part, shard = slice(bounds[k], bounds[k + 1]), shards[k]
            shard.put_state(map_state(lambda field: field[:, part], state))
            shard.read(self._views, self._panels[shard.streams == 1], np.ascontiguousarray(streams[:, part]).ravel())
            output.log_softmax(shard.o, shard.sums, shard.symbol_tile)
            shard.carry()
            return shard.o.reshape(steps, shard.streams, -1)[:, :, : self._symbols], shard.state(self._config)

        with Team(min(len(shards), usable_cpus())) as team:
            found = team.each(read, len(shards))
        logs = np.concatenate([part for part, _ in found], axis=1)
        return logs.reshape(*ids.shape, self._symbols), _joined([own for _, own in found])

    def _of_size(self, steps: int, bounds: list[int]) -> list[Shard]:
        """Memory for `steps` steps of these streams; that of one step of one and the last other is kept."""
        key = steps, bounds[-1]
        if key not in self._shards:
            self._shards = {kept: shards for kept, shards in self._shards.items() if kept == (1, 1)}
            self._shards[key] = [Shard(self._config, self._layout, steps, size) for size in np.diff(bounds).tolist()]
        return self._shards[key]


def _joined(parts: list[State]) -> State:
    """The states of shards as one."""
    fields = (np.concatenate(field, axis=1) for field in zip(*parts, strict=True))
    return type(parts[0])(*fields)


class BatchedEngine:
    """Training, one update after the other, each on all cores."""

    name = "compiled"
    device = "cpu"
    block = 20  # updates in one call at most, so that progress is seen

    def __init__(
        self,
        config: ModelConfig,
        training: TrainingConfig,
        parameters: Mapping[str, Array],
        *,
        optimizer_state: Mapping[str, Array] | None = None,
        state: State | None = None,
        updates_done: int = 0,
        ranks: Ranks | None = None,
    ) -> None:
        self.updates_done = updates_done
        self._config, self._training = config, training
        self._layout = Layout(config, len(parameters["c"]))
        self._flat = self._layout.pack_weights(parameters)
        self._views = self._layout.views(self._flat)
        self._panels = Panels(self._views, alone=training.batch_size == 1)
        bounds = shard_bounds(training.batch_size, training.shards or default_shards(training.batch_size))
        own = parts(training, 1 if ranks is None else ranks.size)[0 if ranks is None else ranks.rank]
        self.part = own  # of the streams
        self._bounds = [bound - own.start for bound in bounds if own.start <= bound <= own.stop]
        sizes = np.diff(self._bounds).tolist()
        self._shards = [Shard(config, self._layout, training.sequence_length, size) for size in sizes]
        self._exchange = None if ranks is None else Exchange(ranks, self._layout.length, len(sizes))
        self._threads = min(len(sizes), training.threads or (usable_cpus() if ranks is None else ranks.cpus))
        self._optimizer = FlatOptimizer(training, self._flat)
        if optimizer_state is not None:
            self._load_optimizer_state(optimizer_state)
        if state is not None:
            self._put_state(state)

    def train(self, inputs: Ids, targets: Ids, rates: NDArray[np.float32], *, carry: bool = True) -> TrainResult:
        """n updates on the ids `inputs` and `targets` (n, T, B) at `rates` (n,), T at most `sequence_length`.

        Where `carry`, the state goes on from update to update; else every update begins with a zero state. A target
        below 0 is padding, without loss and gradient.

        Raises NumericalError at the update whose loss or gradient is not finite.
        """
        losses, norms = np.zeros(len(inputs)), np.zeros(len(inputs))
        with Team(self._threads) as team:
            for i, rate in enumerate(rates):
                if not carry:
                    self.zero_state()
                losses[i], norms[i] = self._update(team, inputs[i], targets[i], float(rate))
        return TrainResult(losses, norms)

    def _update(self, team: Team, x: Ids, y: Ids, rate: float) -> tuple[float, float]:
        self._panels.fill()
        self._panels.fill_back()
        masks = self._masks()

        def run(k: int) -> float:
            part = slice(self._bounds[k], self._bounds[k + 1])
            own = None if masks is None else masks[:, part]
            return self._shards[k].steps_from(0, len(x)).run(self._views, self._panels, x[:, part], y[:, part], own)

        losses = team.each(run, len(self._shards))
        if self._exchange is not None:
            losses = self._exchange.summed([shard.gradient for shard in self._shards], losses)
        loss = sum(losses)
        gradient, norm = self._summed(team)
        if not math.isfinite(loss + norm):
            self._raise_not_finite(loss, gradient)
        self._optimizer.step(self._flat, self._clipped(gradient, norm), rate, team)
        self.updates_done += 1
        return loss, norm

    def _summed(self, team: Team) -> tuple[Vector, float]:
        """The sum of the shards' gradients, in that of the first, and its norm."""
        total, *others = (shard.gradient for shard in self._shards)
        if self._exchange is not None:
            others = []  # they are in it
        parts = pieces(total.shape[1])

        def add(number: int) -> float:
            sums = total[:, parts[number]]
            for other in others:
                sums += other[:, parts[number]]
            return float(sum_of_squares(sums))

        return total, math.sqrt(sum(team.each(add, len(parts))))

    def _masks(self) -> Vector | None:
        training = self._training
        masks = masks_of_update(self._config, training.batch_size, training.dropout, training.seed, self.updates_done)
        if masks is None:
            return None
        m, masks = self._config.hidden_size, masks[:, self.part]
        return np.pad(masks, [(0, 0), (0, 0), (0, padded(m) - m)])

    def _clipped(self, gradient: Vector, norm: float) -> Vector:
        limit = self._training.clip_norm
        if limit is not None and norm > limit:
            gradient *= np.float32(limit / norm)
        if self._training.clip_value is not None:
            np.clip(gradient, -self._training.clip_value, self._training.clip_value, out=gradient)
        return gradient

    def _raise_not_finite(self, loss: float, gradient: Vector) -> None:
        found = self._layout.unpack(gradient)
        optimizers.require_finite(loss, found, self.updates_done + 1)
        raise optimizers.not_finite("all", "too large", self.updates_done + 1)

    def _load_optimizer_state(self, state: Mapping[str, Array]) -> None:
        for name, own in self._optimizer.state.items():
            kind, _, of = name.rpartition(".")
            own[...] = self._layout.pack(state, kind + ".") if of == FLAT else state[name]

    def parameters(self) -> dict[str, Vector]:
        """Copies of the parameters, float32, in the mission's orientation."""
        return self._layout.unpack(self._flat)

    def optimizer_state(self) -> dict[str, Vector]:
        """Copies of the optimiser's state, as `KIND.NAME`, and what it has besides."""
        found: dict[str, Vector] = {}
        for name, own in self._optimizer.state.items():
            kind, _, of = name.rpartition(".")
            found |= self._layout.unpack(own, kind + ".") if of == FLAT else {name: own.copy()}
        return found

    def state(self) -> State:
        """A copy of the carried state, each field (L, B, m), of the streams of `part`."""
        return _joined([shard.state(self._config) for shard in self._shards])

    def _put_state(self, state: State) -> None:
        """Begin from the `state` of all streams."""
        own = map_state(lambda field: field[:, self.part], state)
        for k, shard in enumerate(self._shards):
            part = slice(self._bounds[k], self._bounds[k + 1])
            shard.put_state(map_state(lambda field: field[:, part], own))  # noqa: B023 - called at once

    def zero_state(self) -> None:
        """Every stream begins anew."""
        self._put_state(network.zero_state(self._config, self._training.batch_size))

    @property
    def is_warm(self) -> bool:
        """Whether the kernels for this cell have been compiled on this machine before."""
        return compilation.is_warm(self._key)

    def warm_up(self) -> None:
        """Compile the kernels, or fetch them from the cache, without touching the network."""
        shard = Shard(self._config, self._layout, 1, 1)
        ids = np.zeros((1, 1), np.int64)
        masks = np.ones((max(self._config.layers - 1, 1), 1, shard.width), np.float32)
        self._panels.fill()
        self._panels.fill_back()
        shard.run(self._views, self._panels, ids, ids, masks if self._training.dropout else None)
        sum_of_squares(shard.gradient)
        numbers = aligned_zeros(1, PAD)
        FlatOptimizer(self._training, numbers).step(numbers, numbers.copy(), 0.0)
        self.parameters()
        compilation.mark_warm(self._key)

    @property
    def _key(self) -> str:
        shard = self._shards[0]
        return f"{self._config.cell}-batch-{len(shard.tile)}-{len(shard.symbol_tile)}-{self._config.layers > 1}"

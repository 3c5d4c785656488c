"""An LSTM that reads one stream symbol by symbol and learns every T symbols from what it has read.

The last symbols as contexts have logits of their own, which learn after each symbol: they know by heart what the
network has not learned yet.

Its alphabet grows: a symbol is admitted when it first comes. Whether symbols are read one by one or many at once, the
bits are the same, so that a decoder, which must wait for each, learns what the encoder learned.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.compression.kernels import online_steps
from recurra.compression.kernels.contexts import Contexts
from recurra.config import ModelConfig, TrainingConfig
from recurra.engines.flat_optimizer import FlatOptimizer, clip
from recurra.engines.flat_parameters import unflatten_state
from recurra.engines.kernels import softmax
from recurra.engines.kernels.lanes import Vector, aligned_zeros
from recurra.engines.kernels.products import sum_of_squares
from recurra.engines.parameter_layout import Layout, Panels, padded_size
from recurra.engines.shard import Shard
from recurra.errors import NumericalError
from recurra.network.optimizers import schedule_of
from recurra.network.parameters import initialize

Integers = NDArray[np.int64]
GROWTH = 32  # symbols that room is made for at a time


class ContextConfig(NamedTuple):
    """The last 1 to `longest` symbols are contexts, hashed to `rows` (a power of two); see `kernels.contexts`."""

    longest: int
    rows: int
    rate: float
    least_rate: float


class OnlineLearner:
    """The network, its memory of T steps, its optimizer, and the contexts beside it.

    ids[: at] are the symbols of the T steps under way, all read; `logs` (1, >= symbols) is log p of what follows.
    ids[T] is the target of the last step, and the first that is read of the next T.
    """

    def __init__(
        self, config: ModelConfig, training: TrainingConfig, most_symbols: int, contexts: ContextConfig
    ) -> None:
        self._config, self._training = config, training
        self._initial = initialize(config, most_symbols, seed=training.seed, scale=training.initial_scale)
        self.symbols = 0  # admitted
        self.ids = np.zeros(training.sequence_length + 1, np.int64)
        self.at = 0
        self._updates = 0
        last, rates = np.zeros(contexts.longest, np.int64), np.array([contexts.rate, contexts.least_rate], np.float32)
        rows = np.zeros((contexts.rows, 0), np.float32)
        self._contexts = Contexts(rows, np.zeros(contexts.rows, np.float32), last.copy(), last, rates)
        self._schedule = schedule_of(training)
        self._make_room(min(3 * GROWTH, padded_size(most_symbols)))
        self._take_over()

    @property
    def left(self) -> int:
        """How many symbols still go into the T steps under way and their last target."""
        return len(self.ids) - self.at

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another symbol until the network has learned again."""
        return self.symbols == self._capacity

    def admit(self) -> None:
        """Give the next id to a symbol that is new: the network expects it from now on."""
        c = self._views["c"]
        c[0, self.symbols] = c[0, : self.symbols].mean() if self.symbols else 0.0
        self.symbols += 1

    def encode(self, symbols: Integers, total: int) -> Integers:
        """Read `symbols` (n,), n at most `left`: where each begins in [0, `total`) and how wide it is, (2, n)."""
        start, n = self.at, len(symbols)
        self.ids[start : start + n] = symbols
        found = np.zeros((2, n), np.int64)
        before, widths = found
        online_steps.encode(*self._parts, self.ids, start, self.symbols, total, before, widths, *self._tiles)
        self._go_to(start + n)
        return found

    def decode(
        self, words: NDArray[np.uint32], state: NDArray[np.uint64], total: int, most: int
    ) -> tuple[Integers, bool]:
        """Decode and read `most` symbols, or fewer: those before an escape, if one comes, or before it learns."""
        start, most = self.at, min(most, self.left)
        until = start, most, self.symbols, total
        stop = int(online_steps.decode(*self._parts, self.ids, *until, words, state, *self._tiles))
        decoded = self.ids[start:stop].copy()
        self._go_to(stop)
        return decoded, len(decoded) < most

    def _go_to(self, at: int) -> None:
        self.at = at
        if at == len(self.ids):
            self._learn()

    def _learn(self) -> None:
        """One update on the T steps; then the first of the next is read."""
        loss = self._shard.backward(self._panels, self.ids[:-1], self.ids[1:])
        self._shard.carry()
        gradient = self._shard.gradient
        norm = math.sqrt(sum_of_squares(gradient))
        if not math.isfinite(loss + norm):
            raise NumericalError("the loss or a gradient is not finite.", update=self._updates + 1, tensor="all")
        self._optimizer.step(self._flat, clip(gradient, norm, self._training), self._schedule(self._updates))
        self._updates += 1
        self.ids[0], self.at = self.ids[-1], 1
        if self.is_full and self._capacity < padded_size(len(self._initial["c"])):
            self._make_room(self._capacity + GROWTH)
        self._take_over()
        online_steps.expect(*self._parts, self.ids, 0, *self._tiles)

    def _take_over(self) -> None:
        """Let the products know the weights."""
        self._panels.fill()
        self._panels.fill_backward()

    def _make_room(self, capacity: int) -> None:
        """Lay everything out anew, for `capacity` symbols; what was learned of those admitted is kept."""
        learned = self._learned() if self.symbols else {}
        self._capacity, self._layout = capacity, Layout(self._config, capacity)
        blank = {name: _corner(self._initial[name], shape) for name, shape in self._layout.shapes.items()}
        blank["c"] = np.full(capacity, softmax.LOWEST)
        self._flat = self._layout.pack(_filled(blank, learned))
        self._optimizer = FlatOptimizer(self._training, self._flat)
        nothing = unflatten_state(self._optimizer.state, self._layout)
        self._optimizer.load(_filled(nothing, learned), self._layout)
        self._views = self._layout.views(self._flat)
        self._panels = Panels(self._config, self._views, single_stream=True)
        self._contexts = _wider(self._contexts, capacity)
        self._make_memory()

    def _learned(self) -> dict[str, Vector]:
        """Copies of the parameters and of the optimizer's state, by name."""
        return self._layout.unpack(self._flat) | unflatten_state(self._optimizer.state, self._layout)

    def _make_memory(self) -> None:
        """The shard, its parts, and views of both for the kernel that decodes."""
        self._shard: Shard
        before = self._shard.state() if self.symbols else None
        shard = self._shard = Shard(self._config, self._layout, len(self.ids) - 1, 1)
        if before is not None:
            shard.put_state(before)
        self._tiles = shard.tile, shard.symbol_tile
        self.logs, self._sums = aligned_zeros(1, self._capacity), aligned_zeros(1, padded_size(len(self.ids)))
        p, layer = self._views, shard.layers[0]
        U, W, b = (p[f"layers.0.{name}"] for name in "UWb")
        weights = online_steps.OnlineWeights(U, W, b, self._panels.across["V"], p["c"])
        room = np.zeros(self._capacity, np.int64), aligned_zeros(1, self._capacity), shard.packed
        memory = online_steps.OnlineWorkspace(
            layer.states.h, layer.states.c, layer.saved.gates, shard.o, self.logs, self._sums, *room
        )
        self._parts = weights, memory, self._contexts


def _wider(contexts: Contexts, symbols: int) -> Contexts:
    """With room for more symbols. Rows that have never learned stay untouched: no memory is spent on them."""
    rows = aligned_zeros(len(contexts.rows), symbols)
    used = np.flatnonzero(contexts.counts)
    rows[used, : contexts.rows.shape[1]] = contexts.rows[used]
    return contexts._replace(rows=rows)


def _corner(array: Vector, shape: tuple[int, ...]) -> Vector:
    """The part of `array` that has `shape`, or all there is of it, zeros around it."""
    part = array[tuple(map(slice, shape))]
    return np.pad(part, [(0, size - own) for size, own in zip(shape, part.shape, strict=True)])


def _filled(blank: dict[str, Vector], learned: dict[str, Vector]) -> dict[str, Vector]:
    """Copies of `blank`, whose beginnings are what was learned under its name."""
    filled = {name: array.copy() for name, array in blank.items()}
    for name, array in filled.items():
        old = learned.get(name, array)
        array[tuple(map(slice, old.shape))] = old
    return filled

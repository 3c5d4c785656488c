"""An LSTM that reads one stream, symbol by symbol, and makes a training update after every T symbols.

The contexts of the last symbols have logits of their own, which are updated after each symbol. They reproduce repeated
passages that the network has not learned yet.

The alphabet grows: a symbol is admitted at its first occurrence. Reading symbols one by one or many at once gives the
same bits. A decoder, which reads them one by one, therefore learns the same network as the encoder.
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
CAPACITY_STEP = 32  # symbols


class ContextConfig(NamedTuple):
    """The settings of the contexts; see `kernels.contexts`.

    longest: the last 1, 2, … `longest` symbols are contexts.
    rows: number of rows that the hashes select, a power of two.
    rate: the first learning rate of a row.
    least_rate: the least learning rate of a row.
    """

    longest: int
    rows: int
    rate: float
    least_rate: float


class OnlineLearner:
    """The network, its optimizer, the contexts, and the values of the current T steps.

    ids[: at] are the symbols of the current T steps that have been read. `logs` (1, >= symbols) is log p of the next
    symbol. ids[T] is the target of the last step, and becomes the first symbol of the next T steps.
    """

    def __init__(
        self, config: ModelConfig, training: TrainingConfig, most_symbols: int, contexts: ContextConfig
    ) -> None:
        self._config, self._training = config, training
        self._initial = initialize(config, most_symbols, seed=training.seed, scale=training.initial_scale)
        self.symbols = 0  # number of admitted symbols
        self.ids = np.zeros(training.sequence_length + 1, np.int64)
        self.at = 0
        self._updates = 0
        last, rates = np.zeros(contexts.longest, np.int64), np.array([contexts.rate, contexts.least_rate], np.float32)
        rows = np.zeros((contexts.rows, 0), np.float32)
        self._contexts = Contexts(rows, np.zeros(contexts.rows, np.float32), last.copy(), last, rates)
        self._schedule = schedule_of(training)
        self._resize(min(3 * CAPACITY_STEP, padded_size(most_symbols)))
        self._pack_weights()

    @property
    def left(self) -> int:
        """The number of symbols until the next update: the rest of the T steps and the last target."""
        return len(self.ids) - self.at

    @property
    def is_full(self) -> bool:
        """True if no symbol can be admitted before the next update."""
        return self.symbols == self._capacity

    def admit(self) -> None:
        """Give the next id to a new symbol, and include it in the predictions."""
        c = self._views["c"]
        c[0, self.symbols] = c[0, : self.symbols].mean() if self.symbols else 0.0
        self.symbols += 1

    def encode(self, symbols: Integers, total: int) -> Integers:
        """Read symbols and return their intervals for the coder.

        Args:
            symbols: (n,) ids, n <= `left`.
            total: sum of the frequencies.

        Returns:
            The beginning of each interval in [0, `total`), and its width: (2, n).
        """
        start, n = self.at, len(symbols)
        self.ids[start : start + n] = symbols
        intervals = np.zeros((2, n), np.int64)
        before, widths = intervals
        online_steps.encode(*self._parts, self.ids, start, self.symbols, total, before, widths, self._tile)
        self._go_to(start + n)
        return intervals

    def decode(
        self, words: NDArray[np.uint32], state: NDArray[np.uint64], total: int, most: int
    ) -> tuple[Integers, bool]:
        """Decode symbols and read them, until an escape or an update.

        Args:
            words: the coded words.
            state: the state of the coder; updated.
            total: sum of the frequencies.
            most: the greatest number of symbols.

        Returns:
            The ids, and True if an escape follows.
        """
        start, most = self.at, min(most, self.left)
        limits = start, most, self.symbols, total
        stop = int(online_steps.decode(*self._parts, self.ids, *limits, words, state, self._tile))
        decoded = self.ids[start:stop].copy()
        self._go_to(stop)
        return decoded, len(decoded) < most

    def _go_to(self, at: int) -> None:
        self.at = at
        if at == len(self.ids):
            self._learn()

    def _learn(self) -> None:
        """Make one update on the T steps, then read the first symbol of the next T steps."""
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
            self._resize(self._capacity + CAPACITY_STEP)
        self._pack_weights()
        online_steps.expect(*self._parts, self.ids, 0, self._tile)

    def _pack_weights(self) -> None:
        """Copy the parameters into the panels of the matrix products."""
        self._panels.fill()
        self._panels.fill_backward()

    def _resize(self, capacity: int) -> None:
        """Allocate all arrays for `capacity` symbols, and keep the learned values of the admitted symbols."""
        learned = self._learned() if self.symbols else {}
        self._capacity, self._layout = capacity, Layout(self._config, capacity)
        blank = {name: _corner(self._initial[name], shape) for name, shape in self._layout.shapes.items()}
        blank["c"] = np.full(capacity, softmax.LOWEST)
        self._flat = self._layout.pack(_filled(blank, learned))
        self._optimizer = FlatOptimizer(self._training, self._flat)
        empty = unflatten_state(self._optimizer.state, self._layout)
        self._optimizer.load(_filled(empty, learned), self._layout)
        self._views = self._layout.views(self._flat)
        self._panels = Panels(self._config, self._views, single_stream=True)
        self._contexts = _wider(self._contexts, capacity)
        self._make_workspace()

    def _learned(self) -> dict[str, Vector]:
        """Return copies of the parameters and of the optimizer's state, by name."""
        return self._layout.unpack(self._flat) | unflatten_state(self._optimizer.state, self._layout)

    def _make_workspace(self) -> None:
        """Create the shard, and views of its arrays and of the parameters for the kernels."""
        self._shard: Shard
        before = self._shard.state() if self.symbols else None
        shard = self._shard = Shard(self._config, self._layout, len(self.ids) - 1, 1)
        if before is not None:
            shard.put_state(before)
        self._tile = shard.tile
        self.logs, self._sums = aligned_zeros(1, self._capacity), aligned_zeros(1, padded_size(len(self.ids)))
        p, layer = self._views, shard.layers[0]
        U, W, b = (p[f"layers.0.{name}"] for name in "UWb")
        weights = online_steps.OnlineWeights(U, W, b, self._panels.across["V"], p["c"])
        buffers = np.zeros(self._capacity, np.int64), aligned_zeros(1, self._capacity), shard.packed
        workspace = online_steps.OnlineWorkspace(
            layer.states.h, layer.states.c, layer.saved.gates, shard.o, self.logs, self._sums, *buffers
        )
        self._parts = weights, workspace, self._contexts


def _wider(contexts: Contexts, symbols: int) -> Contexts:
    """Return contexts with rows for more symbols. Only updated rows are copied: the others take no memory."""
    rows = aligned_zeros(len(contexts.rows), symbols)
    used = np.flatnonzero(contexts.counts)
    rows[used, : contexts.rows.shape[1]] = contexts.rows[used]
    return contexts._replace(rows=rows)


def _corner(array: Vector, shape: tuple[int, ...]) -> Vector:
    """Return `array`, cut or padded with zeros to `shape`."""
    part = array[tuple(map(slice, shape))]
    return np.pad(part, [(0, size - present) for size, present in zip(shape, part.shape, strict=True)])


def _filled(blank: dict[str, Vector], learned: dict[str, Vector]) -> dict[str, Vector]:
    """Return copies of the arrays `blank`, each begun with the elements of the learned array of the same name."""
    filled = {name: array.copy() for name, array in blank.items()}
    for name, array in filled.items():
        old = learned.get(name, array)
        array[tuple(map(slice, old.shape))] = old
    return filled

"""Minibatch training in strict float32: any cell, any number of layers, B streams, on several cores.

The streams are divided into shards. Threads run the shards forward and backward without the GIL, and the gradients are
added in the order of the shards. Every sum has a fixed order: the bits depend on the number of shards, but not on the
number of threads, the CPU or the number of processes.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping

import numpy as np

from recurra.config import ModelConfig, TrainingConfig
from recurra.engines.engine import Array, Batches, ProcessGroup, Start, StepwiseEngine, Update
from recurra.engines.flat_optimizer import FlatOptimizer, clip, slices
from recurra.engines.flat_parameters import unflatten_state
from recurra.engines.kernels import softmax
from recurra.engines.kernels.lanes import Vector, aligned_zeros
from recurra.engines.kernels.products import sum_of_squares
from recurra.engines.parameter_layout import PAD, Layout, Panels, padded_size
from recurra.engines.shard import Ids, Shard
from recurra.engines.sharding import default_shards, shard_bounds, shards_of, streams_of_rank, threads_of
from recurra.engines.thread_team import Team
from recurra.engines.workspaces import Workspaces
from recurra.network import optimizers
from recurra.network.dropout import masks_of_update
from recurra.network.network import State
from recurra.network.state import join_states, map_state
from recurra.system.system_info import usable_cpus


class BatchedNetwork:
    """The trained network for scoring, with any number of streams and the same arithmetic as in training.

    Every call borrows a workspace for itself, so any number of threads may call at the same time.
    """

    def __init__(self, config: ModelConfig, parameters: Mapping[str, Array]) -> None:
        self._config, self._symbols = config, len(parameters["c"])
        self._layout = Layout(config, self._symbols)
        self._views = self._layout.views(self._layout.pack_weights(parameters))
        self._panels = {single: Panels(config, self._views, single_stream=single) for single in (False, True)}
        for panels in self._panels.values():
            panels.fill()
        self._workspaces = Workspaces(self._make_shards, kept=(1, 1))

    def log_probabilities(self, ids: Ids, state: State) -> tuple[Vector, State]:
        """Return log p of the next character after each of `ids` (T,) or (T, B), and the final state.

        log p is float32 (T, K) or (T, B, K) in nats; each field of the states is (L, B, H). The bits do not depend on
        the division of a sequence into calls, nor on the other streams.
        """
        streams = np.ascontiguousarray(ids.reshape(len(ids), -1), np.int64)
        steps, count = streams.shape
        bounds = shard_bounds(count, default_shards(count))

        def read(shard: Shard, part: slice) -> tuple[Vector, State]:
            shard.put_state(map_state(lambda field: field[:, part], state))
            shard.read(self._views, self._panels[shard.streams == 1], np.ascontiguousarray(streams[:, part]).ravel())
            softmax.log_softmax(shard.o, shard.sums)
            shard.carry()
            return shard.o.reshape(steps, shard.streams, -1)[:, :, : self._symbols], shard.state()

        size = len(bounds) - 1
        with self._workspaces.borrow((steps, count)) as shards, Team(min(size, usable_cpus())) as team:
            results = team.each(lambda k: read(shards[k], slice(bounds[k], bounds[k + 1])), size)
            logs = np.concatenate([log_p for log_p, _ in results], axis=1)
        return logs.reshape(*ids.shape, self._symbols), join_states([final for _, final in results])

    def _make_shards(self, size: tuple[int, int]) -> list[Shard]:
        """Return the workspace to read T time steps of B streams; `size` is (T, B)."""
        steps, count = size
        shard_sizes = np.diff(shard_bounds(count, default_shards(count))).tolist()
        return [Shard(self._config, self._layout, steps, streams) for streams in shard_sizes]


class BatchedEngine(StepwiseEngine):
    """Training, update by update, each update on several threads."""

    name = "compiled"
    device = "cpu"

    def __init__(
        self, config: ModelConfig, training: TrainingConfig, start: Start, ranks: ProcessGroup | None = None
    ) -> None:
        super().__init__(config, training, start)
        self._layout = Layout(config, len(start.parameters["c"]))
        self._flat = self._layout.pack_weights(start.parameters)
        self._views = self._layout.views(self._flat)
        self._panels = Panels(config, self._views, single_stream=training.batch_size == 1)
        self._part = part = streams_of_rank(training, ranks)
        self._bounds = [bound - part.start for bound in shards_of(training) if part.start <= bound <= part.stop]
        sizes = np.diff(self._bounds).tolist()
        self._shards = [Shard(config, self._layout, training.sequence_length, size) for size in sizes]
        self._exchange = None if ranks is None else ranks.gradient_sum(self._layout.length, len(sizes))
        self._threads = min(len(sizes), threads_of(training, ranks))
        self._optimizer = FlatOptimizer(training, self._flat)
        if start.optimizer_state is not None:
            self._optimizer.load(start.optimizer_state, self._layout)
        if start.state is not None:
            self._put_state(start.state)

    @contextlib.contextmanager
    def _updating(self, inputs: Batches, targets: Batches) -> Iterator[Update]:
        with Team(self._threads) as team:
            yield lambda i, rate: self._update(team, inputs[i], targets[i], rate)

    def _update(self, team: Team, x: Ids, y: Ids, rate: float) -> tuple[float, float]:
        self._panels.fill()
        self._panels.fill_backward()
        masks = self._masks()

        def run(k: int) -> float:
            part = slice(self._bounds[k], self._bounds[k + 1])
            shard, shard_masks = self._shards[k].steps_from(0, len(x)), None if masks is None else masks[:, part]
            return shard.run(self._views, self._panels, x[:, part], y[:, part], shard_masks)

        losses = team.each(run, len(self._shards))
        if self._exchange is not None:
            losses = self._exchange.sum_shards([shard.gradient for shard in self._shards], losses)
        loss = sum(losses)
        gradient, norm = self._sum_gradients(team)
        if not math.isfinite(loss + norm):
            self._raise_not_finite(loss, gradient)
        self._optimizer.step(self._flat, clip(gradient, norm, self._training), rate, team)
        return loss, norm

    def _sum_gradients(self, team: Team) -> tuple[Vector, float]:
        """Add the gradients of the other shards to the first; return the sum and its norm."""
        total, *others = (shard.gradient for shard in self._shards)
        if self._exchange is not None:
            others = []  # the exchange has added them
        parts = slices(total.shape[1])

        def add(number: int) -> float:
            sums = total[:, parts[number]]
            for other in others:
                sums += other[:, parts[number]]
            return float(sum_of_squares(sums))

        return total, math.sqrt(sum(team.each(add, len(parts))))

    def _masks(self) -> Vector | None:
        masks = masks_of_update(self._config, self._training, self._updates_done)
        if masks is None:
            return None
        m, masks = self._config.hidden_size, masks[:, self._part]
        return np.pad(masks, [(0, 0), (0, 0), (0, padded_size(m) - m)])

    def _raise_not_finite(self, loss: float, gradient: Vector) -> None:
        gradients = self._layout.unpack(gradient)
        optimizers.require_finite(loss, gradients, self._updates_done + 1)
        # Every element is finite, but the sum of the squares is not.
        largest = {name: float(np.max(np.abs(array))) for name, array in gradients.items()}
        name = max(largest, key=lambda name: largest[name])
        raise optimizers.not_finite(name, f"{largest[name]:g}, too large to square", self._updates_done + 1)

    def parameters(self) -> dict[str, Vector]:
        return self._layout.unpack(self._flat)

    def magnitudes(self) -> dict[str, float]:
        return {name: optimizers.magnitude(slot.inner(self._flat)) for name, slot in self._layout.slots.items()}

    def optimizer_state(self) -> dict[str, Vector]:
        return unflatten_state(self._optimizer.state, self._layout)

    def state(self) -> State:
        state: State = join_states([shard.state() for shard in self._shards])
        return state

    def _put_state(self, state: State) -> None:
        rank_state = map_state(lambda field: field[:, self._part], state)
        for k, shard in enumerate(self._shards):
            part = slice(self._bounds[k], self._bounds[k + 1])
            shard.put_state(map_state(lambda field: field[:, part], rank_state))  # noqa: B023 - called at once

    def warm_up(self) -> None:
        # Two rows at most are enough: Numba compiles a kernel again for arrays whose rows are not contiguous.
        steps, streams = min(self._training.sequence_length, 2), min(self._shards[0].streams, 2)
        shard = Shard(self._config, self._layout, steps, streams)
        ids = np.zeros((steps, streams), np.int64)
        masks = np.ones((max(self._config.layers - 1, 1), streams, shard.width), np.float32)
        self._panels.fill()
        self._panels.fill_backward()
        shard.run(self._views, self._panels, ids, ids, masks if self._training.dropout else None)
        sum_of_squares(clip(shard.gradient, 0.0, self._training))
        numbers = aligned_zeros(1, PAD)
        FlatOptimizer(self._training, numbers).step(numbers, numbers.copy(), 0.0)
        self.parameters()

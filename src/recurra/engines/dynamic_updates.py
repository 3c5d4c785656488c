"""Update a network while it reads, segment by segment: the computation of dynamic evaluation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.config import ModelConfig
from recurra.engines.fused import FusedNetwork
from recurra.engines.fused_tiles import is_single_tanh_layer
from recurra.engines.kernels import softmax
from recurra.engines.kernels.lanes import Vector
from recurra.engines.kernels.optimizers import adapt
from recurra.engines.parameter_layout import Layout, Panels
from recurra.engines.shard import Ids, Shard
from recurra.network.network import State
from recurra.network.optimizers import not_finite
from recurra.network.state import map_state


class DynamicNetwork:
    """One stream, in the arithmetic of training: until it has learned it gives the bits of `create_network`.

    `gradient` (1, N) is that of the loss of the segment that was read last, a sum, all parameters laid end to end and
    padded with zeros. The parameters that it was made from are copied.
    """

    def __init__(self, config: ModelConfig, parameters: Mapping[str, NDArray[Any]], state: State, segment: int) -> None:
        self._layout = Layout(config, len(parameters["c"]))
        self._symbols = len(parameters["c"])
        self._saved = self._layout.pack_weights(parameters)
        self._flat = self._saved.copy()
        self._views = self._layout.views(self._flat)
        self._panels = Panels(config, self._views, single_stream=True)
        self._whole = self._shard = Shard(config, self._layout, segment, 1)
        self._whole.put_state(state)
        self.gradient = self._whole.gradient
        self._learned = 0
        # The kernels of one elman layer add in another order than those of batches: they predict, and these learn.
        self._reads_apart = is_single_tanh_layer(config)
        self._state = self._next = state
        self._take_over()

    def _take_over(self) -> None:
        self._panels.fill()
        if self._reads_apart:
            self._reader = FusedNetwork(self._layout.unpack(self._flat))

    def zero_state(self) -> None:
        """Begin with the state before the first character."""
        self._state = self._next = map_state(np.zeros_like, self._state)
        self._whole.put_state(self._state)

    def read(self, ids: Ids) -> Vector:
        """log p (T, K) in nats of what follows each of `ids` (T,), T at most a segment; the state is not carried on."""
        self._shard = self._whole.steps_from(0, len(ids))
        self._shard.read(self._views, self._panels, _whole_numbers(ids))
        if self._reads_apart:
            logs, self._next = self._reader.log_probabilities(ids, self._state)
            return logs
        logs = self._shard.o.copy()
        softmax.log_softmax(logs, self._shard.sums, self._shard.symbol_tile)
        return logs[:, : self._symbols]

    def differentiate(self, ids: Ids, targets: Ids) -> None:
        """After `read` of `ids`: `gradient` by what has followed them, `targets` (T,); the state is carried on.

        Raises NumericalError where the loss is not finite: what was too large before has made it so.
        """
        self._panels.fill_backward()
        loss = self._shard.backward(self._panels, _whole_numbers(ids), _whole_numbers(targets))
        self._shard.carry()
        self._state = self._next
        self._learned += 1
        if not math.isfinite(loss):
            raise not_finite("loss", str(loss), self._learned)

    def learn(self, pull: Vector, step: Vector) -> None:
        """theta += pull · (theta_0 - theta) - step · gradient by element, both (1, N)."""
        adapt(self._flat, self._saved, pull, step, self.gradient)
        self._take_over()


def _whole_numbers(ids: Ids) -> Ids:
    return np.ascontiguousarray(ids, np.int64)

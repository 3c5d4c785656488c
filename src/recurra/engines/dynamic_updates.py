"""Update a network while it reads a text, segment by segment, as dynamic evaluation does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.config import ModelConfig
from recurra.engines.kernels import softmax
from recurra.engines.kernels.lanes import Vector
from recurra.engines.kernels.optimizers import adapt
from recurra.engines.parameter_layout import Layout, Panels
from recurra.engines.shard import Ids, Shard
from recurra.network.network import State
from recurra.network.optimizers import not_finite
from recurra.network.state import map_state


class DynamicNetwork:
    """A network that learns from one stream, with the same arithmetic as in training.

    Before the first call of `learn` its predictions have the bits of `create_network`. `gradient` (1, N) is the
    gradient of the loss of the last segment (a sum over the characters) with respect to all parameters, in the order of
    `Layout` with zeros for the padding. The network works on a copy of `parameters`.
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
        self._zeros = map_state(np.zeros_like, state)
        self._panels.fill()

    def zero_state(self) -> None:
        """Set the state to zero, as before the first character of a text."""
        self._whole.put_state(self._zeros)

    def read(self, ids: Ids) -> Vector:
        """Return log p (T, K) in nats after each of `ids` (T,). T is at most the length of a segment.

        The state advances only when `differentiate` is called.
        """
        self._shard = self._whole.steps_from(0, len(ids))
        self._shard.read(self._views, self._panels, _whole_numbers(ids))
        logs = self._shard.o.copy()
        softmax.log_softmax(logs, self._shard.sums)
        return logs[:, : self._symbols]

    def differentiate(self, ids: Ids, targets: Ids) -> None:
        """Compute `gradient` for `targets` (T,), the characters that followed the ids of `read`; advance the state.

        Raises NumericalError if the loss is not finite, because earlier updates were too large.
        """
        self._panels.fill_backward()
        loss = self._shard.backward(self._panels, _whole_numbers(ids), _whole_numbers(targets))
        self._shard.carry()
        self._learned += 1
        if not math.isfinite(loss):
            raise not_finite("loss", str(loss), self._learned)

    def learn(self, pull: Vector, step: Vector) -> None:
        """Add pull · (theta_0 - theta) - step · gradient to the parameters theta; `pull` and `step` are (1, N)."""
        adapt(self._flat, self._saved, pull, step, self.gradient)
        self._panels.fill()


def _whole_numbers(ids: Ids) -> Ids:
    return np.ascontiguousarray(ids, np.int64)

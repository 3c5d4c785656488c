"""The training in batches of `recurra_batch`, `pytorch_batch` and `jax_batch`: shapes, initial weights and text.

An update reads T characters of each of B streams, with truncated backpropagation and carried state. The loss is the sum
in nats. Gradients are clipped to the norm 5, which every gradient exceeds; the optimizer is Adam at 0.002.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from recurra.config import ModelConfig
from recurra.network.parameters import initialize
from recurra.text.streams import Cursor, SequentialStream

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE = 0.002
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
CLIP_NORM = 5.0
LARGE_UPDATE_CHARACTERS = 5000  # from this size, a block is one update

Parameters = dict[str, "NDArray[np.float32]"]
Ids: TypeAlias = "NDArray[np.int64]"


class Shape(NamedTuple):
    """A network and its batch: B, T, H and L."""

    cell: str
    batch: int
    steps: int
    hidden: int
    layers: int

    @classmethod
    def of(cls, name: str) -> Shape:
        """Parse a name such as "lstm-50-50-128-2"."""
        cell, *sizes = name.split("-")
        numbers = list(map(int, sizes))
        if len(numbers) != len(cls._fields) - 1 or min(numbers) < 1:
            raise ValueError(f"not CELL-B-T-H-L: {name}")
        shape = cls(cell, *numbers)
        shape.config()
        return shape

    def config(self) -> ModelConfig:
        """Return the settings of the network in recurra."""
        return ModelConfig(cell=self.cell, hidden_size=self.hidden, layers=self.layers)

    @property
    def characters(self) -> int:
        """The number of characters of an update."""
        return self.batch * self.steps

    @property
    def block(self) -> int:
        """The number of updates in one call of a peer's `train`."""
        return 10 if self.characters < LARGE_UPDATE_CHARACTERS else 1


def initial(shape: Shape, symbols: int, seed: int = 0) -> Parameters:
    """Return the initial weights of each cell's default initialization, under recurra's names."""
    return initialize(shape.config(), symbols, seed=seed, scale=None)


class Reader:
    """Reads the text repeatedly; the state is carried from the end of the text to its beginning."""

    def __init__(self, ids: Ids, shape: Shape) -> None:
        self.stream = SequentialStream(ids, shape.steps, shape.batch)

    def take(self, updates: int) -> tuple[Ids, Ids]:
        """Return the next ids and the ids that follow them, (updates, T, B) each."""
        if self.stream.cursor.position + updates > self.stream.updates_per_epoch:
            self.stream.cursor = Cursor(self.stream.cursor.epoch + 1, 0)
        return self.stream.take(updates)

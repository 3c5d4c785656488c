"""The training in batches that `recurra_batch`, `pytorch_batch` and `jax_batch` repeat: shapes, weights, text.

B streams of the text, T characters of each an update, truncated backpropagation with the state carried on, the sum
of the losses in nats, gradients clipped to the norm 5 (which cuts every update's), then Adam at 0.002.
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
MANY = 5000  # characters an update from which on a block is one update

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
        """The shape called, say, "lstm-50-50-128-2"."""
        cell, *sizes = name.split("-")
        numbers = list(map(int, sizes))
        if len(numbers) != len(cls._fields) - 1 or min(numbers) < 1:
            raise ValueError(f"not CELL-B-T-H-L: {name}")
        shape = cls(cell, *numbers)
        shape.config()
        return shape

    def config(self) -> ModelConfig:
        """The network as ours names it."""
        return ModelConfig(cell=self.cell, hidden_size=self.hidden, layers=self.layers)

    @property
    def characters(self) -> int:
        """How many characters an update reads."""
        return self.batch * self.steps

    @property
    def block(self) -> int:
        """Updates in one call of a peer's `train`."""
        return 10 if self.characters < MANY else 1


def initial(shape: Shape, symbols: int, seed: int = 0) -> Parameters:
    """Initial weights by the names of ours: the cells' own start."""
    return initialize(shape.config(), symbols, seed=seed, scale=None)


class Reader:
    """The text without end; the state is carried on where it begins again."""

    def __init__(self, ids: Ids, shape: Shape) -> None:
        self.stream = SequentialStream(ids, shape.steps, shape.batch)

    def take(self, updates: int) -> tuple[Ids, Ids]:
        """Ids and the ids that follow them, (updates, T, B) each."""
        if self.stream.cursor.position + updates > self.stream.updates_per_epoch:
            self.stream.cursor = Cursor(self.stream.cursor.epoch + 1, 0)
        return self.stream.take(updates)

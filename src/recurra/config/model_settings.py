"""The settings of the network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

from recurra.config.declaration import NETWORK, OTHER_RUN, Configuration, OneOf, Whole, require, setting

# Each cell with the activations that it takes, the usual one first; the first cell is the default.
CELLS = {"elman": ("tanh", "relu"), "lstm": ("tanh",), "gru": ("tanh",)}
DEFAULT_CELL = next(iter(CELLS))
ACTIVATIONS = ("tanh", "relu")


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Configuration):
    """What the network is: its cell, m = `hidden_size` and the number of stacked `layers`.

    Only the elman cell takes an `activation` other than tanh. The number of characters K belongs to the vocabulary.
    """

    cell: str = field(
        default=DEFAULT_CELL, metadata=setting("Cell of the network", OneOf(tuple(CELLS)), NETWORK, fixed=OTHER_RUN)
    )
    activation: str = field(
        default="tanh", metadata=setting("Activation of the elman cell", OneOf(ACTIVATIONS), NETWORK, fixed=OTHER_RUN)
    )
    hidden_size: int = field(
        default=100, metadata=setting("Units of a layer, m", Whole(1, 16384), NETWORK, unit="units", fixed=OTHER_RUN)
    )
    layers: int = field(
        default=1, metadata=setting("Stacked layers", Whole(1, 64), NETWORK, unit="layers", fixed=OTHER_RUN)
    )

    def __post_init__(self) -> None:
        """Raise UsageError for a value that is not allowed."""
        super().__post_init__()
        taken = CELLS[self.cell]
        require(self.activation in taken, "activation", f"{' or '.join(taken)} with cell {self.cell}", self.activation)


class ModelSettings(TypedDict, total=False):
    """The fields of `ModelConfig` as keyword arguments; type checkers need them written out."""

    cell: str
    activation: str
    hidden_size: int
    layers: int

"""The settings of the network."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, TypedDict

from recurra.config.declaration import NETWORK, OTHER_RUN, Configuration, OneOf, Whole, require, setting

# Each cell with the activations that it takes, the usual one first; the first cell is the default.
CELLS = {"elman": ("tanh", "relu"), "lstm": ("tanh",), "gru": ("tanh",), "mingru": ("tanh",), "mogrifier": ("tanh",)}
DEFAULT_CELL = next(iter(CELLS))
ACTIVATIONS = ("tanh", "relu")


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Configuration):
    """The settings of the network: its cell, m = `hidden_size` and the number of stacked `layers`.

    Only the elman cell takes an `activation` other than tanh. Only the mogrifier cell has `mogrifier_rounds` and
    `mogrifier_rank`; tables of other cells leave them out. The number of characters K belongs to the vocabulary.
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

    mogrifier_rounds: int = field(
        default=5,
        metadata=setting(
            "Rounds in which input and state of a mogrifier scale each other", Whole(1, 20), NETWORK, fixed=OTHER_RUN
        ),
    )
    mogrifier_rank: int = field(
        default=0,
        metadata=setting(
            "Rank of the matrices of the rounds; 0: whole matrices", Whole(0, 16384), NETWORK, fixed=OTHER_RUN
        ),
    )

    def __post_init__(self) -> None:
        """Raise UsageError for a value that is not allowed."""
        super().__post_init__()
        taken = CELLS[self.cell]
        require(self.activation in taken, "activation", f"{' or '.join(taken)} with cell {self.cell}", self.activation)
        most = f"a whole number, between 0 and {self.hidden_size}"
        require(self.mogrifier_rank <= self.hidden_size, "mogrifier_rank", most, self.mogrifier_rank)
        for name in self._of_other_cells():
            value, default = getattr(self, name), getattr(ModelConfig, name)
            require(value == default, name, f"left out with cell {self.cell}", value)

    def to_table(self) -> dict[str, Any]:
        """Return every setting by name, but for those of other cells."""
        others = self._of_other_cells()
        return {name: value for name, value in super().to_table().items() if name not in others}

    def _of_other_cells(self) -> list[str]:
        """Return the settings whose names begin with the name of a cell that is not this network's."""
        others = tuple(f"{cell}_" for cell in CELLS if cell != self.cell)
        return [name for name in (one.name for one in fields(self)) if name.startswith(others)]


class ModelSettings(TypedDict, total=False):
    """The fields of `ModelConfig` as keyword arguments; type checkers need them written out."""

    cell: str
    activation: str
    hidden_size: int
    layers: int
    mogrifier_rounds: int
    mogrifier_rank: int

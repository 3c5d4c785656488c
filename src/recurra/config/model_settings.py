"""The settings of the network."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypedDict

from recurra.config.declaration import NETWORK, OTHER_RUN, Configuration, OneOf, Whole, require, setting

# The activations that each cell supports, its usual activation first. The first cell is the default.
CELLS = {"elman": ("tanh", "relu"), "lstm": ("tanh",), "gru": ("tanh",), "mingru": ("tanh",), "mogrifier": ("tanh",)}
DEFAULT_CELL = next(iter(CELLS))
ACTIVATIONS = ("tanh", "relu")


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Configuration):
    """The settings of the network: cell, hidden size, number of stacked layers.

    Only the elman cell supports an `activation` other than tanh. Only the mogrifier cell uses `mogrifier_rounds` and
    `mogrifier_rank`; `to_table` leaves them out for other cells. The vocabulary determines the number of symbols K.
    """

    cell: str = setting(DEFAULT_CELL, "Recurrent cell", OneOf(tuple(CELLS)), NETWORK, fixed=OTHER_RUN)
    activation: str = setting(
        "tanh", "Activation function of the elman cell", OneOf(ACTIVATIONS), NETWORK, fixed=OTHER_RUN
    )
    hidden_size: int = setting(
        100, "Hidden units in each layer", Whole(1, 16384), NETWORK, unit="units", fixed=OTHER_RUN
    )
    layers: int = setting(
        1, "Number of stacked recurrent layers", Whole(1, 64), NETWORK, unit="layers", fixed=OTHER_RUN
    )
    mogrifier_rounds: int = setting(
        5,
        "Rounds in which input and hidden state of a mogrifier gate each other",
        Whole(1, 20),
        NETWORK,
        fixed=OTHER_RUN,
    )
    mogrifier_rank: int = setting(
        0, "Rank of the gating matrices of a mogrifier; 0: full rank", Whole(0, 16384), NETWORK, fixed=OTHER_RUN
    )

    def __post_init__(self) -> None:
        """Raise UsageError for a value that is not allowed."""
        super().__post_init__()
        supported = CELLS[self.cell]
        expected = f"{' or '.join(supported)} with cell {self.cell}"
        require(self.activation in supported, "activation", expected, self.activation)
        expected = f"a whole number, between 0 and {self.hidden_size}"
        require(self.mogrifier_rank <= self.hidden_size, "mogrifier_rank", expected, self.mogrifier_rank)
        for name in self._of_other_cells():
            value, default = getattr(self, name), getattr(ModelConfig, name)
            require(value == default, name, f"left out with cell {self.cell}", value)

    def to_table(self) -> dict[str, Any]:
        """Return every setting by name, without the settings of other cells."""
        others = self._of_other_cells()
        return {name: value for name, value in super().to_table().items() if name not in others}

    def _of_other_cells(self) -> list[str]:
        """Return the names of the settings that only other cells use: each begins with the name of its cell."""
        prefixes = tuple(f"{cell}_" for cell in CELLS if cell != self.cell)
        return [field.name for field in fields(self) if field.name.startswith(prefixes)]


class ModelSettings(TypedDict, total=False):
    """The fields of `ModelConfig` as keyword arguments, written out for type checkers."""

    cell: str
    activation: str
    hidden_size: int
    layers: int
    mogrifier_rounds: int
    mogrifier_rank: int

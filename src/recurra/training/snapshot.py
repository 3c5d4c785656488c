"""A snapshot of a training: the arrays and the progress from which it resumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import NDArray

from recurra.model import OPTIMIZER, PREFIX, LanguageModel
from recurra.network.network import State
from recurra.network.state import named_state

Array = NDArray[Any]


@dataclass(frozen=True)
class Snapshot:
    """All that training needs to go on: the engine's arrays, and `progress`, which is plain JSON."""

    model: LanguageModel
    parameters: dict[str, Array]
    optimizer_state: dict[str, Array]
    state: State
    progress: dict[str, Any]

    @property
    def update(self) -> int:
        """How many updates were done."""
        return int(self.progress["update"])

    def tensors(self) -> dict[str, Array]:
        """Every array by the name it has in the file; the parameters in the engine's own precision."""
        return {
            **self.model.tensors(),
            **{PREFIX + name: array for name, array in self.parameters.items()},
            **{OPTIMIZER + name: array for name, array in self.optimizer_state.items()},
            **named_state(self.state),
        }


class LowestLoss(NamedTuple):
    """The lowest smooth loss of a training's records, and the update of the record."""

    update: int
    loss: float


@dataclass(frozen=True)
class ResumePoint:
    """The state from which a training resumes: a snapshot, the best so far, and the `seconds` trained.

    `best_file` is the update and the sha256 of the best model's file, None if it has none yet; `lowest` is of the
    records until then, None without any.
    """

    snapshot: Snapshot
    best: Snapshot
    best_file: dict[str, Any] | None
    seconds: float
    lowest: LowestLoss | None = None

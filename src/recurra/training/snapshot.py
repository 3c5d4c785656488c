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
    """The state of a training at one update: the arrays of the engine, and `progress`, a JSON object."""

    model: LanguageModel
    parameters: dict[str, Array]
    optimizer_state: dict[str, Array]
    state: State
    progress: dict[str, Any]

    @property
    def update(self) -> int:
        """Return the number of completed updates."""
        return int(self.progress["update"])

    def tensors(self) -> dict[str, Array]:
        """Return every array by its name in a checkpoint file; the parameters have the precision of the engine."""
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
    """The state from which a training resumes: a snapshot, the best model so far, and the seconds of training.

    `best_file` has the update and the sha256 of the best model's file, None if there is no file yet. `lowest` is the
    lowest smooth loss of the earlier records, None without records.
    """

    snapshot: Snapshot
    best: Snapshot
    best_file: dict[str, Any] | None
    seconds: float
    lowest: LowestLoss | None = None

"""Select the best model so far; early stopping and plateaus of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from recurra.config import TrainingConfig
from recurra.training.snapshot import ResumePoint, Snapshot


class Selection:
    """The model with the lowest loss, and what was evaluated since.

    best   its snapshot; as long as no losses were compared, that of the newest checkpoint
    loss   its loss; infinite as long as none were compared
    drops  how often a plateau was long enough for the rate to drop
    """

    def __init__(self, training: TrainingConfig, resumed: ResumePoint | None = None) -> None:
        self.best: Snapshot | None = None
        self.loss, self.drops = math.inf, 0
        self._update: int | None = None  # that of the lowest loss
        self._worse = 0  # evaluations since
        self._is_new = False  # `best` is in no checkpoint yet
        self._patience, self._plateau = training.patience, training.plateau
        if resumed is not None:
            progress = resumed.snapshot.progress
            self.best, self._is_new = resumed.best, resumed.best_file is None
            self.loss = math.inf if progress["best_loss"] is None else progress["best_loss"]
            self._update, self._worse, self.drops = progress["best_update"], progress["worse"], progress["drops"]

    @property
    def is_compared(self) -> bool:
        """Whether `best` was chosen by a loss, and is not just the newest."""
        return math.isfinite(self.loss)

    @property
    def out_of_patience(self) -> bool:
        """Whether as many evaluations as `patience` allows brought no lower loss."""
        return 0 < self._patience <= self._worse

    def is_lowest(self, loss: float) -> bool:
        """Whether an evaluation's loss is the lowest yet; it counts for patience and plateaus."""
        lowest = loss < self.loss
        self._worse = 0 if lowest else self._worse + 1
        if self._worse and self._plateau and self._worse % self._plateau == 0:
            self.drops += 1
        return lowest

    def keep(self, update: int, loss: float, snapshot: Callable[[], Snapshot]) -> None:
        """Let the model of `update` be the best; the `snapshot` of it is taken after that, for it tells of it."""
        self._update, self.loss = update, loss
        self.best, self._is_new = snapshot(), True

    def for_checkpoint(self, newest: Snapshot) -> Snapshot | None:
        """The best to go with a checkpoint of the `newest`; None where an earlier one has it."""
        if not self.is_compared:
            self.best, self._is_new = newest, True
        best = self.best if self._is_new else None
        self._is_new = False
        return best

    def to_table(self) -> dict[str, Any]:
        """What a checkpoint needs to know of it."""
        best_loss = self.loss if self.is_compared else None
        return {"best_loss": best_loss, "best_update": self._update, "worse": self._worse, "drops": self.drops}

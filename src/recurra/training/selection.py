"""Select the best model so far, stop early, and lower the learning rate on a plateau."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from recurra.config import TrainingConfig
from recurra.training.snapshot import ResumePoint, Snapshot


class Selection:
    """The model with the lowest loss, and the number of evaluations since then without a lower loss.

    best   the snapshot of this model; before the first comparison, the snapshot of the newest checkpoint
    loss   the loss of this model; infinite before the first comparison
    drops  the number of plateaus at which the learning rate dropped
    """

    def __init__(self, training: TrainingConfig, resumed: ResumePoint | None = None) -> None:
        self.best: Snapshot | None = None
        self.loss, self.drops = math.inf, 0
        self._update: int | None = None  # the update of the lowest loss
        self._worse = 0  # evaluations since the lowest loss
        self._is_new = False  # `best` is in no checkpoint yet
        self._patience, self._plateau = training.patience, training.plateau
        if resumed is not None:
            progress = resumed.snapshot.progress
            self.best, self._is_new = resumed.best, resumed.best_file is None
            self.loss = math.inf if progress["best_loss"] is None else progress["best_loss"]
            self._update, self._worse, self.drops = progress["best_update"], progress["worse"], progress["drops"]

    @property
    def is_compared(self) -> bool:
        """Return True if `best` was selected by its loss; until the first comparison, `best` is the newest model."""
        return math.isfinite(self.loss)

    @property
    def out_of_patience(self) -> bool:
        """Return True if the last `patience` evaluations had no lower loss."""
        return 0 < self._patience <= self._worse

    def is_lowest(self, loss: float) -> bool:
        """Return True if the `loss` of an evaluation is the lowest so far, and count it for patience and plateaus."""
        lowest = loss < self.loss
        self._worse = 0 if lowest else self._worse + 1
        if self._worse and self._plateau and self._worse % self._plateau == 0:
            self.drops += 1
        return lowest

    def keep(self, update: int, loss: float, snapshot: Callable[[], Snapshot]) -> None:
        """Select the model of `update` as the best, then take its snapshot, which contains this selection."""
        self._update, self.loss = update, loss
        self.best, self._is_new = snapshot(), True

    def for_checkpoint(self, newest: Snapshot) -> Snapshot | None:
        """Return the best model to store with a checkpoint of `newest`; None if an earlier checkpoint stored it."""
        if not self.is_compared:
            self.best, self._is_new = newest, True
        best = self.best if self._is_new else None
        self._is_new = False
        return best

    def to_table(self) -> dict[str, Any]:
        """Return the lowest loss, its update and the counters as a JSON object."""
        best_loss = self.loss if self.is_compared else None
        return {"best_loss": best_loss, "best_update": self._update, "worse": self._worse, "drops": self.drops}

"""What training has seen so far: the smooth loss, its best value, and the mean of every whole epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

KEEP = 0.999  # of the old smooth loss at each update


@dataclass
class History:
    """Losses in nats, each divided by `unit` (1: the sum over a sequence; T · B: the mean a character).

    `smooth` starts at the first loss and then is 0.999 · smooth + 0.001 · loss. `epoch_means` are of complete epochs,
    always in nats a character. All of it is saved in a checkpoint: `to_table` and `History(**table)`.
    """

    unit: float = 1.0
    smooth: float | None = None
    epoch_sum: float = 0.0
    epoch_updates: int = 0
    epoch_means: list[float] = field(default_factory=list)
    window: list[float] = field(default_factory=list)

    def extend(self, losses: list[float]) -> None:
        """Take in the losses (sums over T · B) of consecutive updates of one epoch."""
        scaled = [loss / self.unit for loss in losses]
        smooth = scaled[0] if self.smooth is None else self.smooth
        for loss in scaled:
            smooth = KEEP * smooth + (1 - KEEP) * loss
        self.smooth = smooth
        self.window += scaled
        self.epoch_sum += math.fsum(losses)
        self.epoch_updates += len(losses)

    def end_epoch(self, characters_per_update: int) -> float:
        """Close an epoch; returns its mean loss in nats a character."""
        mean = self.epoch_sum / (self.epoch_updates * characters_per_update)
        self.epoch_means.append(mean)
        self.epoch_sum, self.epoch_updates = 0.0, 0
        return mean

    def close_window(self) -> dict[str, float]:
        """Mean, lowest and highest loss since the last call."""
        window, self.window = self.window, []
        return {"mean": math.fsum(window) / len(window), "min": min(window), "max": max(window)}

    def to_table(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return dict(vars(self))

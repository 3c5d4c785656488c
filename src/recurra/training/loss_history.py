"""The loss history: the smooth loss, the losses since the last record, the mean of every whole epoch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

FIRST_EPOCHS, LAST_EPOCHS = 100, 5000  # whose means are kept, of the last ones up to twice as many
LARGEST_NUMBER = 1e15  # the largest magnitude of a recorded loss: training ends before, readers refuse more
KEEP, TAKE = 0.999, 0.001  # of the old smooth loss and of the new loss, at each update


@dataclass
class History:
    """Losses in nats: of each update the mean a character, or, unless `per_character`, the sum.

    `smooth` is the first loss and then 0.999 · smooth + 0.001 · loss. `epoch_means` are of complete epochs, always in
    nats a character; of a very long run those of the first and the last epochs, with `epochs_dropped` between them left
    out. The window is the losses since the last record. All of it is saved in a checkpoint: `to_table` and
    `History(**table)`.
    """

    per_character: bool = True
    smooth: float | None = None
    epoch_sum: float = 0.0
    epoch_characters: int = 0
    epoch_means: list[float] = field(default_factory=list)
    window_sum: float = 0.0
    window_updates: int = 0
    window_min: float | None = None
    window_max: float | None = None
    epochs_dropped: int = 0

    @property
    def epochs(self) -> int:
        """The number of complete epochs."""
        return len(self.epoch_means) + self.epochs_dropped

    def extend(self, losses: list[float], characters: list[int]) -> None:
        """Take in the losses, one or more, of consecutive updates of one epoch: sums over so many `characters`."""
        pairs = zip(losses, characters, strict=True)
        scaled = [loss / count if self.per_character else loss for loss, count in pairs]
        smooth = scaled[0] if self.smooth is None else KEEP * self.smooth + TAKE * scaled[0]
        for loss in scaled[1:]:
            smooth = KEEP * smooth + TAKE * loss
        self.smooth = smooth
        self.epoch_sum = _added(self.epoch_sum, losses)
        self.epoch_characters += sum(characters)
        self.window_sum = _added(self.window_sum, scaled)
        self.window_updates += len(losses)
        self.window_min = min(scaled if self.window_min is None else [self.window_min, *scaled])
        self.window_max = max(scaled if self.window_max is None else [self.window_max, *scaled])

    def end_epoch(self) -> float:
        """Close an epoch; returns its mean loss in nats a character."""
        mean = self.epoch_sum / self.epoch_characters
        self.epoch_means.append(mean)
        if len(self.epoch_means) > FIRST_EPOCHS + 2 * LAST_EPOCHS:
            dropped = len(self.epoch_means) - FIRST_EPOCHS - LAST_EPOCHS
            del self.epoch_means[FIRST_EPOCHS : FIRST_EPOCHS + dropped]
            self.epochs_dropped += dropped
        self.epoch_sum, self.epoch_characters = 0.0, 0
        return mean

    def numbered_means(self) -> list[tuple[int, float]]:
        """The number of each epoch whose mean was kept, from 1 on, and the mean."""
        skipped = [0] * FIRST_EPOCHS + [self.epochs_dropped] * len(self.epoch_means)
        return [(i + 1 + skipped[i], mean) for i, mean in enumerate(self.epoch_means)]

    def close_window(self) -> dict[str, float]:
        """Mean, lowest and highest loss since the last call; there must be one."""
        assert self.window_min is not None  # noqa: S101 - `extend` was called
        assert self.window_max is not None  # noqa: S101 - `extend` was called
        mean = self.window_sum / self.window_updates
        closed = {"mean": mean, "min": self.window_min, "max": self.window_max}
        self.window_sum, self.window_updates, self.window_min, self.window_max = 0.0, 0, None, None
        return closed

    def to_table(self) -> dict[str, Any]:
        """A copy of everything, as JSON can hold it."""
        return asdict(self)


def _added(total: float, terms: list[float]) -> float:
    """`total` and the `terms`, one after the other: the same however the terms come in blocks, unlike `sum`."""
    for term in terms:
        total += term
    return total

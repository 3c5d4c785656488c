"""The loss history: the smooth loss, the losses since the last record, the mean of every complete epoch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

FIRST_EPOCHS, LAST_EPOCHS = 100, 5000  # means kept of the first and of the last epochs, of the last up to 2 x 5000
LARGEST_NUMBER = 1e15  # largest magnitude of a recorded loss: training ends above it, and readers refuse it
OLD_WEIGHT, NEW_WEIGHT = 0.999, 0.001  # weights of the old smooth loss and of the new loss at each update


@dataclass
class History:
    """The training losses in nats: the mean of an update per character, or the sum if `per_character` is False.

    smooth[0] = loss[0]
    smooth[n] = 0.999 smooth[n-1] + 0.001 loss[n]

    The smooth loss still contains early, high losses in a short training. Quote the held-out loss as the result.
    `epoch_means` has the mean loss of each complete epoch, always in nats per character. In a very long run it has only
    the first and the last epochs, and `epochs_dropped` counts the epochs between them. The window contains the losses
    since the last record. A checkpoint stores the whole history: `to_table` and `History(**table)`.
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
        """Return the number of complete epochs."""
        return len(self.epoch_means) + self.epochs_dropped

    def extend(self, losses: list[float], characters: list[int]) -> None:
        """Add one or more losses of consecutive updates of an epoch; each is a sum over its number of `characters`."""
        pairs = zip(losses, characters, strict=True)
        scaled = [loss / count if self.per_character else loss for loss, count in pairs]
        smooth = scaled[0] if self.smooth is None else OLD_WEIGHT * self.smooth + NEW_WEIGHT * scaled[0]
        for loss in scaled[1:]:
            smooth = OLD_WEIGHT * smooth + NEW_WEIGHT * loss
        self.smooth = smooth
        self.epoch_sum = _add_in_order(self.epoch_sum, losses)
        self.epoch_characters += sum(characters)
        self.window_sum = _add_in_order(self.window_sum, scaled)
        self.window_updates += len(losses)
        self.window_min = min(scaled if self.window_min is None else [self.window_min, *scaled])
        self.window_max = max(scaled if self.window_max is None else [self.window_max, *scaled])

    def end_epoch(self) -> float:
        """End an epoch and return its mean loss in nats per character."""
        mean = self.epoch_sum / self.epoch_characters
        self.epoch_means.append(mean)
        if len(self.epoch_means) > FIRST_EPOCHS + 2 * LAST_EPOCHS:
            dropped = len(self.epoch_means) - FIRST_EPOCHS - LAST_EPOCHS
            del self.epoch_means[FIRST_EPOCHS : FIRST_EPOCHS + dropped]
            self.epochs_dropped += dropped
        self.epoch_sum, self.epoch_characters = 0.0, 0
        return mean

    def numbered_means(self) -> list[tuple[int, float]]:
        """Return the number, counted from 1, and the mean loss of each epoch whose mean was kept."""
        skipped = [0] * FIRST_EPOCHS + [self.epochs_dropped] * len(self.epoch_means)
        return [(i + 1 + skipped[i], mean) for i, mean in enumerate(self.epoch_means)]

    def close_window(self) -> dict[str, float]:
        """Return the mean, minimum and maximum loss since the last call, and empty the window.

        At least one loss must have been added since then.
        """
        assert self.window_min is not None  # noqa: S101 - `extend` was called
        assert self.window_max is not None  # noqa: S101 - `extend` was called
        mean = self.window_sum / self.window_updates
        closed = {"mean": mean, "min": self.window_min, "max": self.window_max}
        self.window_sum, self.window_updates, self.window_min, self.window_max = 0.0, 0, None, None
        return closed

    def to_table(self) -> dict[str, Any]:
        """Return a copy of the history as a JSON object."""
        return asdict(self)


def _add_in_order(total: float, terms: list[float]) -> float:
    """Add the `terms` to `total` one by one; unlike `sum`, the result does not depend on the size of the blocks."""
    for term in terms:
        total += term
    return total

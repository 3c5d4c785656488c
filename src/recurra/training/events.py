"""The events of a trainer. The terminal, the logs and the live page receive the same events."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Calibrating:
    """The measurement of a time limit begins: updates run for up to `seconds`; the limit is `time_limit` seconds."""

    time_limit: float
    seconds: float


@dataclass(frozen=True)
class Progress:
    """A block of updates is complete: `update` of `updates`, the smooth loss, seconds since the first update."""

    update: int
    updates: int
    smooth_loss: float
    seconds: float


@dataclass(frozen=True)
class Record:
    """A line of `metrics.jsonl`, every `log_every` updates and at each evaluation.

    `loss` has the mean, minimum and maximum loss since the last record. `validation` is the held-out loss in nats per
    character, None without an evaluation at this update.
    """

    update: int
    epoch: float
    loss: dict[str, float]
    smooth_loss: float
    validation: float | None
    rate: float
    gradient_norm: float


@dataclass(frozen=True)
class Sampled:
    """A text that the network generated after `update` updates."""

    update: int
    temperature: float
    seed: int
    text: str


@dataclass(frozen=True)
class Evaluated:
    """The held-out loss after `update` updates, in nats per character; `best` is True if it is the lowest so far."""

    update: int
    validation: float
    best: bool


@dataclass(frozen=True)
class EpochEnded:
    """Epoch number `epoch`, counted from 1, is complete; its mean loss is in nats per character."""

    epoch: int
    update: int
    nats_per_character: float


@dataclass(frozen=True)
class Saving:
    """A snapshot of `update` was taken, `seconds` after the first update; a thread writes its checkpoint."""

    update: int
    seconds: float


@dataclass(frozen=True)
class Checkpointed:
    """The checkpoint of `update` is durable in `path`; the training may be at a later update."""

    update: int
    path: Path


@dataclass(frozen=True)
class Finishing:
    """Training has ended after `update` updates; the computation of the report's findings begins."""

    update: int


@dataclass(frozen=True)
class Gathering:
    """Training is complete and saved; `done` of `total` elements of the report's `part` are computed."""

    part: str
    done: int
    total: int


Event = (
    Calibrating | Progress | Record | Sampled | Evaluated | EpochEnded | Saving | Checkpointed | Finishing | Gathering
)

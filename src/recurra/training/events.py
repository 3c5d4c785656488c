"""The events of a trainer. Terminal, files and page listen to the same events; none is special."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Calibrating:
    """A few updates are about to be timed, for up to `seconds`, to plan a training within `time_limit` seconds."""

    time_limit: float
    seconds: float


@dataclass(frozen=True)
class Progress:
    """A block of updates is done: `update` of `updates`, the smooth loss, seconds since the first update."""

    update: int
    updates: int
    smooth_loss: float
    seconds: float


@dataclass(frozen=True)
class Record:
    """A line of `metrics.jsonl`, every `log_every` updates and at each evaluation.

    `loss` is the mean, min and max since the last record.
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
    """What the network writes after `update` updates."""

    update: int
    temperature: float
    seed: int
    text: str


@dataclass(frozen=True)
class Evaluated:
    """The held-out text scored after `update` updates, in nats a character; `best` where it is the lowest yet."""

    update: int
    validation: float
    best: bool


@dataclass(frozen=True)
class EpochEnded:
    """Epoch number `epoch` (from 1) is complete; its mean loss in nats a character."""

    epoch: int
    update: int
    nats_per_character: float


@dataclass(frozen=True)
class Saving:
    """A copy of all that is needed to go on from `update` was taken, `seconds` after the first; it is being written."""

    update: int
    seconds: float


@dataclass(frozen=True)
class Checkpointed:
    """The checkpoint of `update` is durable in `path`; training may have gone on meanwhile."""

    update: int
    path: Path


@dataclass(frozen=True)
class Finishing:
    """Training has ended after `update` updates; what the report shows is about to be computed."""

    update: int


@dataclass(frozen=True)
class Gathering:
    """Training is done and saved; `done` of `total` elements of the `part` are found, which the report shows."""

    part: str
    done: int
    total: int


Event = (
    Calibrating | Progress | Record | Sampled | Evaluated | EpochEnded | Saving | Checkpointed | Finishing | Gathering
)

"""Which of the B streams each of several processes trains."""

from __future__ import annotations

import itertools
import math

from recurra.config import TrainingConfig
from recurra.errors import UsageError

FEWER = "start as many processes as divide it, or give another"


def parts(training: TrainingConfig, processes: int) -> list[slice]:
    """The streams of each process, all of them together in order; UsageError where they cannot be shared.

    Engine `torch` wants as many streams in each. The compiled engine shares out its shards, whole: their number and not
    that of the processes decides the bits.
    """
    B = training.batch_size
    if processes == 1:
        return [slice(0, B)]
    if training.engine == "reference":
        raise UsageError(
            f"engine reference trains in one process; got {processes}.", hint="give `--engine compiled` or `torch`."
        )
    if B == 1:
        raise UsageError(
            f"one stream cannot be shared by {processes} processes: each step needs the one before it.",
            hint="give a `--batch-size`, or train it in one process: preset seed is fastest so.",
        )
    if training.engine == "torch":
        if B % processes:
            raise UsageError(
                f"`batch_size` must be a multiple of the {processes} processes; got {B}.",
                hint=f"{FEWER} `--batch-size`.",
            )
        bounds = list(range(0, B + 1, B // processes))
    else:
        bounds = _shared_shards(training, processes)
    return [slice(start, stop) for start, stop in itertools.pairwise(bounds)]


def _shared_shards(training: TrainingConfig, processes: int) -> list[int]:
    from recurra.engines.batched import default_shards, shard_bounds

    bounds = shard_bounds(training.batch_size, training.shards or default_shards(training.batch_size))
    shards = len(bounds) - 1
    if shards % processes:
        raise UsageError(
            f"the number of shards must be a multiple of the {processes} processes; a batch of {training.batch_size} "
            f"is computed in {shards}.",
            hint=f"{FEWER} `--shards`, say {math.lcm(shards, processes)}.",
        )
    return bounds[:: shards // processes]

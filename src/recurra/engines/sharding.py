"""Divide the B streams of a batch into shards, and the shards among processes."""

from __future__ import annotations

import itertools
import math

from recurra.config import TrainingConfig
from recurra.engines.engine import ProcessGroup
from recurra.engines.kernels import gemm
from recurra.errors import UsageError
from recurra.system.system_info import usable_cpus

FEWER = "start as many processes as divide it, or give another"


def default_shards(batch_size: int) -> int:
    """How many shards a batch is cut into unless told otherwise: 1, 2, 4 or 8, of 16 streams or more each.

    A power of two, so that two or four threads have equal work.
    """
    return next((shards for shards in (8, 4, 2) if batch_size >= 16 * shards), 1)


def shard_bounds(batch_size: int, shards: int) -> list[int]:
    """Where shards begin and end: whole groups of 8 streams where there are enough of them, none without a stream."""
    shards = min(shards, batch_size)
    unit = gemm.ROWS if batch_size >= gemm.ROWS * shards else 1
    return [round(i * batch_size / shards / unit) * unit for i in range(shards)] + [batch_size]


def shards_of(training: TrainingConfig) -> list[int]:
    """Where the shards of its batch begin and end."""
    return shard_bounds(training.batch_size, training.shards or default_shards(training.batch_size))


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
            hint="give a `--batch-size`, or train it in one process: preset classic is fastest so.",
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


def streams_of_rank(training: TrainingConfig, ranks: ProcessGroup | None) -> slice:
    """The streams of this process: all of them where it is alone; UsageError where they cannot be shared."""
    return parts(training, 1)[0] if ranks is None else parts(training, ranks.size)[ranks.rank]


def threads_of(training: TrainingConfig, ranks: ProcessGroup | None) -> int:
    """How many threads this process trains on: as many as it is told, else one for each CPU that is its own."""
    return training.threads or (usable_cpus() if ranks is None else ranks.cpus)


def _shared_shards(training: TrainingConfig, processes: int) -> list[int]:
    bounds = shards_of(training)
    shards = len(bounds) - 1
    if shards % processes:
        raise UsageError(
            f"the number of shards must be a multiple of the {processes} processes; a batch of {training.batch_size} "
            f"is computed in {shards}.",
            hint=f"{FEWER} `--shards`, say {math.lcm(shards, processes)}.",
        )
    return bounds[:: shards // processes]

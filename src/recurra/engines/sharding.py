"""Divide the B streams of a batch into shards, and the shards among processes."""

from __future__ import annotations

import itertools
import math

from recurra.config import TrainingConfig
from recurra.engines.engine import ProcessGroup
from recurra.engines.kernels import gemm
from recurra.errors import UsageError
from recurra.system.system_info import usable_cpus


def default_shards(batch_size: int) -> int:
    """Return the default number of shards of a batch: 1, 2, 4 or 8 shards of at least 16 streams.

    It is a power of two, so that two or four threads have equal work.
    """
    return next((shards for shards in (8, 4, 2) if batch_size >= 16 * shards), 1)


def shard_bounds(batch_size: int, shards: int) -> list[int]:
    """Return the bounds of the shards, from 0 to `batch_size`.

    Shards are groups of 8 streams if the batch is large enough. No shard is empty.
    """
    shards = min(shards, batch_size)
    unit = gemm.ROWS if batch_size >= gemm.ROWS * shards else 1
    return [round(i * batch_size / shards / unit) * unit for i in range(shards)] + [batch_size]


def shards_of(training: TrainingConfig) -> list[int]:
    """Return the bounds of the shards of a training's batch."""
    return shard_bounds(training.batch_size, training.shards or default_shards(training.batch_size))


def parts(training: TrainingConfig, processes: int) -> list[slice]:
    """Return the streams of each process, in the order of the processes.

    With engine `torch` every process has the same number of streams. With engine `compiled` every process has the same
    number of shards, so that the bits depend on the number of shards and not on the number of processes.
    Raises UsageError if the streams cannot be divided in this way.
    """
    B = training.batch_size
    if processes == 1:
        return [slice(0, B)]
    if training.engine == "reference":
        raise UsageError(
            f"engine `reference` trains in one process only; got {processes} processes.",
            hint="give `--engine compiled` or `--engine torch`.",
        )
    if B == 1:
        raise UsageError(
            f"`batch_size` must be larger than 1 to divide the streams among {processes} processes; got 1.",
            hint="give a larger `--batch-size`, or train in one process, which is fastest for preset classic.",
        )
    if training.engine == "torch":
        if B % processes:
            raise UsageError(
                f"`batch_size` must be a multiple of {processes}, the number of processes; got {B}.",
                hint=f"set `--batch-size {math.lcm(B, processes)}`, or start a number of processes that divides {B}.",
            )
        bounds = list(range(0, B + 1, B // processes))
    else:
        bounds = _shared_shards(training, processes)
    return [slice(start, stop) for start, stop in itertools.pairwise(bounds)]


def streams_of_rank(training: TrainingConfig, ranks: ProcessGroup | None) -> slice:
    """Return the streams of this process: all streams if `ranks` is None. Raises UsageError like `parts`."""
    return parts(training, 1)[0] if ranks is None else parts(training, ranks.size)[ranks.rank]


def threads_of(training: TrainingConfig, ranks: ProcessGroup | None) -> int:
    """Return the number of threads for this process: the setting `threads`, or one for each CPU it may use."""
    return training.threads or (usable_cpus() if ranks is None else ranks.cpus)


def _shared_shards(training: TrainingConfig, processes: int) -> list[int]:
    bounds = shards_of(training)
    shards = len(bounds) - 1
    if shards % processes:
        raise UsageError(
            f"the number of shards must be a multiple of {processes}, the number of processes; "
            f"got {shards} for a batch of {training.batch_size}.",
            hint=f"set `--shards {math.lcm(shards, processes)}`, or start a number of processes that divides {shards}.",
        )
    return bounds[:: shards // processes]

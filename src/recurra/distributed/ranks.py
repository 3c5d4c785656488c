"""The processes that torchrun starts for one training, and how they communicate.

Process 0 leads: it alone writes, prints and decides. PyTorch's gloo carries what CPUs exchange, NCCL what GPUs do.
Messages are JSON and arrays in safetensors' format; nothing is pickled.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np

from recurra import errors
from recurra.distributed.gradient_exchange import GradientExchange
from recurra.distributed.messages import Array, Message, pack_message, unpack_message
from recurra.engines.torch_device import require_torch
from recurra.errors import RecurraError, UsageError
from recurra.system.system_info import usable_cpus

Result = TypeVar("Result")
RANK_TIMEOUT = timedelta(hours=2)  # for another process: it may be scoring a long text
LOST = "another process of this training has ended"


class LostProcessError(RecurraError):
    """Another process has ended, and this one cannot go on."""


class Ranks:
    """This process, number `rank` of `size`, and what all of them do together: each call is one of every process."""

    def __init__(self, rank: int, size: int, local_rank: int = 0, local_size: int = 1) -> None:
        self.rank, self.size, self.local_rank, self._local_size = rank, size, local_rank, local_size
        self._torch = require_torch("a training of several processes")
        self._distributed = self._torch.distributed

    def join(self) -> None:
        """Meet the others, at the address that is in the environment."""
        cuda = self._torch.cuda
        backend = "cpu:gloo,cuda:nccl" if cuda.is_available() else "gloo"
        if cuda.is_available() and self.local_rank < cuda.device_count():  # else it is told by `device_of`
            cuda.set_device(self.local_rank)
        distributed, named = self._distributed, {"rank": self.rank, "world_size": self.size}
        with _watched():
            meeting, *_ = next(distributed.rendezvous("env://", **named, timeout=RANK_TIMEOUT))
            # The place is that of before a restart, and has the addresses of those that have ended.
            own = distributed.PrefixStore(f"recurra {_number('TORCHELASTIC_RESTART_COUNT', 0)} {self.size}", meeting)
            distributed.init_process_group(backend, store=own, **named, timeout=RANK_TIMEOUT)

    def leave(self) -> None:
        """Be done: nothing more is exchanged."""
        if self._distributed.is_initialized():
            self._distributed.destroy_process_group()

    @property
    def is_leader(self) -> bool:
        """Whether this is process 0."""
        return self.rank == 0

    @property
    def cpus(self) -> int:
        """This process's share of the machine's CPUs."""
        return max(1, usable_cpus() // self._local_size)

    def send(self, message: Message, arrays: Mapping[str, Array] | None = None) -> None:
        """Process 0 says something that the others `receive`."""
        self._broadcast(pack_message(message, arrays or {}))

    def receive(self) -> tuple[Message, dict[str, Array]]:
        """What process 0 tells."""
        return unpack_message(self._broadcast(None))

    def _broadcast(self, data: bytes | None) -> bytes:
        length = self._torch.tensor([0 if data is None else len(data)])
        with _watched():
            self._distributed.broadcast(length, 0)
            room = _bytes(self._torch, bytes(int(length)) if data is None else data)
            self._distributed.broadcast(room, 0)
        return bytes(room.numpy())

    def gather(self, data: bytes) -> list[bytes]:
        """What each process has brought, in their order."""
        lengths = [self._torch.zeros(1, dtype=self._torch.int64) for _ in range(self.size)]
        with _watched():
            self._distributed.all_gather(lengths, self._torch.tensor([len(data)]))
            longest = max(map(int, lengths))
            rooms = [_bytes(self._torch, bytes(longest)) for _ in lengths]
            self._distributed.all_gather(rooms, _bytes(self._torch, data.ljust(longest, b"\0")))
        return [bytes(room.numpy())[: int(length)] for room, length in zip(rooms, lengths, strict=True)]

    def gather_arrays(self, arrays: Mapping[str, Array]) -> list[dict[str, Array]]:
        """The arrays that each process has brought, in their order."""
        return [unpack_message(data)[1] for data in self.gather(pack_message({}, arrays))]

    def run_together(self, work: Callable[[], Result]) -> Result:
        """What `work` gives here, once all have done it; where it fails in any process, its error in all."""
        failure: RecurraError | None = None
        try:
            result = work()
        except RecurraError as error:
            failure = error
        told = {} if failure is None else {"is": _kind(failure), "says": failure.message, "hint": failure.hint}
        found = [json.loads(data) for data in self.gather(json.dumps(told).encode())]
        if failure is not None:
            raise failure
        for rank, other in enumerate(found):
            if other:
                raise _again(rank, other)
        return result

    def gradient_sum(self, numbers: int, shards: int) -> GradientExchange:
        """Return the exchange that sums gradients of N = `numbers`, of `shards` in each process."""
        return GradientExchange(self, numbers, shards)

    def add(self, tensor: Any) -> None:
        """Sum a tensor over all processes, in place, on the device where it lies: the same bits in each of them."""
        with _watched():
            self._distributed.all_reduce(tensor)

    def all_to_all(self, got: Any, sent: Any) -> None:
        """got[i] of process k becomes sent[k] of process i; tensors whose first axis is the processes."""
        with _watched():
            self._distributed.all_to_all_single(got, sent)

    def gather_tensors(self, got: Any, own: Any) -> None:
        """got[i] becomes `own` of process i."""
        with _watched():
            self._distributed.all_gather(list(got), own)


@functools.cache
def current() -> Ranks | None:
    """This process among those that were started with it; None where it is alone. It meets the others once."""
    size = _number("WORLD_SIZE", 1)
    if size == 1:
        return None
    ranks = Ranks(_number("RANK"), size, _number("LOCAL_RANK", 0), _number("LOCAL_WORLD_SIZE", 1))
    ranks.join()
    return ranks


def launch() -> str | None:
    """What tells this start of torchrun from all others, the same after a restart; None where torchrun has no part."""
    name = os.environ.get("TORCHELASTIC_RUN_ID")
    # Without a name of its own a start is known by the process of torchrun, which lives through the restarts.
    return f"torchrun {os.getppid()}" if name == "none" else name


def is_restart() -> bool:
    """Whether torchrun has started its processes again after one has ended."""
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"


def _number(name: str, default: int | None = None) -> int:
    value = os.environ.get(name, "" if default is None else str(default))
    if not value.isdigit():
        raise UsageError(
            f"the environment's {name} must be a whole number, as torchrun sets it; got {value!r}.",
            hint="start several processes with torchrun, or unset WORLD_SIZE for one.",
        )
    return int(value)


@contextlib.contextmanager
def _watched() -> Iterator[None]:
    """LostProcess in place of what PyTorch raises where a connection ends."""
    try:
        yield
    except (RuntimeError, ValueError) as error:  # the latter where this process has left before
        hint = "torchrun says which and why; with --max-restarts it goes on from the last checkpoint."
        raise LostProcessError(f"{LOST}, or cannot be reached.", hint=hint) from error


def _kind(error: RecurraError) -> str:
    """What all processes know an error as: the class of `errors` that it is of, which has its exit code."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == errors.__name__)


def _again(rank: int, told: Message) -> RecurraError:
    """The error that another process has told of."""
    kind = getattr(errors, told["is"])
    if kind in (errors.NumericalError, errors.Interrupted):  # which tell more than words
        kind = RecurraError
    error: RecurraError = kind(f"in process {rank}: {told['says']}", hint=told["hint"])
    return error


def _bytes(torch: Any, data: bytes) -> Any:
    return torch.from_numpy(np.frombuffer(data, np.uint8).copy())

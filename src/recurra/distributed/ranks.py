"""The processes that torchrun starts for one training, and their communication.

Process 0 is the leader: only the leader decides, prints and writes files. PyTorch transports the data, with gloo
between CPUs and with NCCL between GPUs. A message is JSON with arrays in the safetensors format, without pickle.
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
RANK_TIMEOUT = timedelta(hours=2)  # another process may score a long text meanwhile


class LostProcessError(RecurraError):
    """Another process has ended, so that this process cannot continue."""


class Ranks:
    """This process, number `rank` of `size`, and the collective operations: every process must call each of them."""

    def __init__(self, rank: int, size: int, local_rank: int = 0, local_size: int = 1) -> None:
        self.rank, self.size, self.local_rank, self._local_size = rank, size, local_rank, local_size
        self._torch = require_torch("a training of several processes")
        self._distributed = self._torch.distributed

    def join(self) -> None:
        """Connect to the other processes, at the address in the environment variables."""
        cuda = self._torch.cuda
        backend = "cpu:gloo,cuda:nccl" if cuda.is_available() else "gloo"
        if cuda.is_available() and self.local_rank < cuda.device_count():  # otherwise `device_of` reports it
            cuda.set_device(self.local_rank)
        distributed, named = self._distributed, {"rank": self.rank, "world_size": self.size}
        with _watched():
            shared, *_ = next(distributed.rendezvous("env://", **named, timeout=RANK_TIMEOUT))
            # After a restart the shared store still has the addresses of the ended processes: use a new prefix.
            store = distributed.PrefixStore(f"recurra {_number('TORCHELASTIC_RESTART_COUNT', 0)} {self.size}", shared)
            distributed.init_process_group(backend, store=store, **named, timeout=RANK_TIMEOUT)

    def leave(self) -> None:
        """Disconnect from the other processes."""
        if self._distributed.is_initialized():
            self._distributed.destroy_process_group()

    @property
    def is_leader(self) -> bool:
        """Return True if this is process 0."""
        return self.rank == 0

    @property
    def cpus(self) -> int:
        """Return the number of CPUs of the machine for this process."""
        return max(1, usable_cpus() // self._local_size)

    def send(self, message: Message, arrays: Mapping[str, Array] | None = None) -> None:
        """Send a message from process 0 to all others, which call `receive`."""
        self._broadcast(pack_message(message, arrays or {}))

    def receive(self) -> tuple[Message, dict[str, Array]]:
        """Return the message and the arrays that process 0 sends."""
        return unpack_message(self._broadcast(None))

    def _broadcast(self, data: bytes | None) -> bytes:
        length = self._torch.tensor([0 if data is None else len(data)])
        with _watched():
            self._distributed.broadcast(length, 0)
            buffer = _bytes(self._torch, bytes(int(length)) if data is None else data)
            self._distributed.broadcast(buffer, 0)
        return bytes(buffer.numpy())

    def gather(self, data: bytes) -> list[bytes]:
        """Return the `data` of every process, in the order of the ranks."""
        lengths = [self._torch.zeros(1, dtype=self._torch.int64) for _ in range(self.size)]
        with _watched():
            self._distributed.all_gather(lengths, self._torch.tensor([len(data)]))
            longest = max(map(int, lengths))
            buffers = [_bytes(self._torch, bytes(longest)) for _ in lengths]
            self._distributed.all_gather(buffers, _bytes(self._torch, data.ljust(longest, b"\0")))
        return [bytes(buffer.numpy())[: int(length)] for buffer, length in zip(buffers, lengths, strict=True)]

    def gather_arrays(self, arrays: Mapping[str, Array]) -> list[dict[str, Array]]:
        """Return the `arrays` of every process, in the order of the ranks."""
        return [unpack_message(data)[1] for data in self.gather(pack_message({}, arrays))]

    def run_together(self, work: Callable[[], Result]) -> Result:
        """Return the result of `work` in this process, after all processes have called their `work`.

        Raises the error of a process in which `work` failed, in all processes.
        """
        failure: RecurraError | None = None
        try:
            result = work()
        except RecurraError as error:
            failure = error
        report = {}
        if failure is not None:
            report = {"kind": _kind(failure), "message": failure.message, "hint": failure.hint}
        reports = [json.loads(data) for data in self.gather(json.dumps(report).encode())]
        if failure is not None:
            raise failure
        for rank, report in enumerate(reports):
            if report:
                raise _error_of(rank, report)
        return result

    def gradient_sum(self, numbers: int, shards: int) -> GradientExchange:
        """Return the exchange of gradients of `numbers` elements, with `shards` shards in each process."""
        return GradientExchange(self, numbers, shards)

    def add(self, tensor: Any) -> None:
        """Sum a tensor over all processes, in place and on its device; every process gets the same bits."""
        with _watched():
            self._distributed.all_reduce(tensor)

    def all_to_all(self, received: Any, sent: Any) -> None:
        """Send sent[k] to process k, and write the part from process i to received[i]."""
        with _watched():
            self._distributed.all_to_all_single(received, sent)

    def gather_tensors(self, received: Any, sent: Any) -> None:
        """Send `sent` to every process, and write the tensor from process i to received[i]."""
        with _watched():
            self._distributed.all_gather(list(received), sent)


@functools.cache
def current() -> Ranks | None:
    """Return this process as a rank, connected to the others at the first call; None for a single process."""
    size = _number("WORLD_SIZE", 1)
    if size == 1:
        return None
    ranks = Ranks(_number("RANK"), size, _number("LOCAL_RANK", 0), _number("LOCAL_WORLD_SIZE", 1))
    ranks.join()
    return ranks


def launch() -> str | None:
    """Return an identifier of this launch of torchrun, the same after a restart; None without torchrun."""
    name = os.environ.get("TORCHELASTIC_RUN_ID")
    # A launch without `--rdzv-id` is identified by the process of torchrun, which survives the restarts.
    return f"torchrun {os.getppid()}" if name == "none" else name


def is_restart() -> bool:
    """Return True if torchrun started the processes again after one of them ended."""
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"


def _number(name: str, default: int | None = None) -> int:
    value = os.environ.get(name, "" if default is None else str(default))
    if not value.isdigit():
        raise UsageError(
            f"the environment variable {name} must be a whole number, as torchrun sets it; got {value!r}.",
            hint="start the processes with torchrun, or train in one process after `unset WORLD_SIZE`.",
        )
    return int(value)


@contextlib.contextmanager
def _watched() -> Iterator[None]:
    """Raise LostProcessError instead of the errors that PyTorch raises when a connection ends."""
    try:
        yield
    except (RuntimeError, ValueError) as error:  # ValueError if this process has already left
        raise LostProcessError(
            "another process of this training has ended, or cannot be reached.",
            hint="torchrun prints its error; `torchrun --max-restarts=3` restarts it from its last checkpoint.",
        ) from error


def _kind(error: RecurraError) -> str:
    """Return the name of the error's class in `recurra.errors`, from which other processes derive the exit code."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == errors.__name__)


def _error_of(rank: int, report: Message) -> RecurraError:
    """Return the error that the process `rank` reported."""
    kind = getattr(errors, report["kind"])
    if kind in (errors.NumericalError, errors.Interrupted):  # they have more arguments than a report
        kind = RecurraError
    error: RecurraError = kind(f"in process {rank}: {report['message']}", hint=report["hint"])
    return error


def _bytes(torch: Any, data: bytes) -> Any:
    return torch.from_numpy(np.frombuffer(data, np.uint8).copy())

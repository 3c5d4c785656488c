"""Sum the gradients of the shards of all processes, in the order of the shards: the bits of one process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from recurra.engines.kernels.lanes import Vector
from recurra.engines.torch_device import require_torch


class Communicator(Protocol):
    """The part of `Ranks` that an exchange calls."""

    size: int

    def all_to_all(self, got: Any, sent: Any) -> None: ...

    def gather_tensors(self, got: Any, own: Any) -> None: ...


class GradientExchange:
    """For gradients of N `numbers`, of `shards` in each of R processes.

    Each process sums one piece, N / R numbers, of all shards, one after the other as one process would; then each gets
    all sums. An update sends (S / R + 1) · N · (R - 1) / R numbers from each process, S = shards · R; passing on sums,
    as others do, would send 2 N (R - 1) / R, in an order that hangs on R.
    """

    def __init__(self, ranks: Communicator, numbers: int, shards: int) -> None:
        torch = require_torch()
        self._ranks, self._numbers = ranks, numbers
        self._piece = piece = -(-numbers // (2 * ranks.size)) * 2  # even, so that the losses lie as float64 do
        self._sent, self._got = (torch.zeros(ranks.size, shards, piece) for _ in range(2))
        self._own = torch.zeros(piece + 2 * shards)
        self._all = torch.zeros(ranks.size, piece + 2 * shards)

    def sum_shards(self, gradients: Sequence[Vector], losses: Sequence[float]) -> list[float]:
        """The losses of all shards; `gradients`, this process's (1, N), change: the first is the sum of all."""
        self._send(gradients)
        own, piece = self._own.numpy(), self._piece
        first, *others = self._got.numpy().reshape(-1, piece)
        own[:piece] = first
        for other in others:
            own[:piece] += other
        own[piece:].view(np.float64)[:] = losses
        self._ranks.gather_tensors(self._all, self._own)
        return self._receive(gradients[0])

    def _send(self, gradients: Sequence[Vector]) -> None:
        sent = self._sent.numpy()
        for k, gradient in enumerate(gradients):
            for rank in range(self._ranks.size):
                part = gradient[0, rank * self._piece : (rank + 1) * self._piece]
                sent[rank, k, : len(part)] = part
        self._ranks.all_to_all(self._got, self._sent)

    def _receive(self, total: Vector) -> list[float]:
        found: NDArray[np.float32] = self._all.numpy()
        for rank, row in enumerate(found):
            part = total[0, rank * self._piece : (rank + 1) * self._piece]
            part[:] = row[: len(part)]
        losses: list[float] = np.ascontiguousarray(found[:, self._piece :]).view(np.float64).ravel().tolist()
        return losses

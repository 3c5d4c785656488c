"""Sum the gradients of all processes in the order of the shards, with the same bits as in one process.

R processes (ranks), N numbers in a gradient, S shards per process.
"""

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

    def all_to_all(self, received: Any, sent: Any) -> None: ...

    def gather_tensors(self, received: Any, sent: Any) -> None: ...


class GradientExchange:
    """The exchange of gradients of N = `numbers` elements, from S = `shards` shards in each of R processes.

    Each process sums N / R elements over all R · S shards, in the order of the shards. Then every process receives all
    sums. Each process sends (S + 1) · N · (R - 1) / R numbers in an update. A ring all-reduce sends only
    2 · N · (R - 1) / R numbers, but the order of its sums depends on R.
    """

    def __init__(self, ranks: Communicator, numbers: int, shards: int) -> None:
        torch = require_torch()
        self._ranks, self._numbers = ranks, numbers
        self._piece = piece = -(-numbers // (2 * ranks.size)) * 2  # an even number, to align the losses as float64
        self._sent, self._received = (torch.zeros(ranks.size, shards, piece) for _ in range(2))
        self._sums = torch.zeros(piece + 2 * shards)  # the sums of this process, then its losses as float64
        self._all_sums = torch.zeros(ranks.size, piece + 2 * shards)

    def sum_shards(self, gradients: Sequence[Vector], losses: Sequence[float]) -> list[float]:
        """Return the losses of all shards of all processes, and write the sum of all gradients to `gradients[0]`.

        Args:
            gradients: S arrays of shape (1, N), one for each shard of this process; the first is overwritten.
            losses: the S losses of the shards of this process, in nats.
        Returns: the R · S losses, in the order of the shards.
        """
        self._send(gradients)
        sums, piece = self._sums.numpy(), self._piece
        first, *others = self._received.numpy().reshape(-1, piece)
        sums[:piece] = first
        for other in others:
            sums[:piece] += other
        sums[piece:].view(np.float64)[:] = losses
        self._ranks.gather_tensors(self._all_sums, self._sums)
        return self._receive(gradients[0])

    def _send(self, gradients: Sequence[Vector]) -> None:
        sent = self._sent.numpy()
        for k, gradient in enumerate(gradients):
            for rank in range(self._ranks.size):
                part = gradient[0, rank * self._piece : (rank + 1) * self._piece]
                sent[rank, k, : len(part)] = part
        self._ranks.all_to_all(self._received, self._sent)

    def _receive(self, total: Vector) -> list[float]:
        sums: NDArray[np.float32] = self._all_sums.numpy()
        for rank, row in enumerate(sums):
            part = total[0, rank * self._piece : (rank + 1) * self._piece]
            part[:] = row[: len(part)]
        losses: list[float] = np.ascontiguousarray(sums[:, self._piece :]).view(np.float64).ravel().tolist()
        return losses

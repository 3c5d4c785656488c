"""Text generation in PyTorch, float32, eager: the network of `pytorch_batch`, one step of all streams at a time.

The next character is drawn by `multinomial` from the softmax, and never leaves PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from peers import pytorch_batch
from peers.batch_setting import Parameters, Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Peer:
    """A generator of several texts at once."""

    def __init__(self, shape: Shape, parameters: Parameters, threads: int) -> None:
        network = pytorch_batch.Peer(shape, parameters, threads)
        self.rnn, self.output, self.one_hot = network.rnn, network.output, network.one_hot
        self.streams = shape.batch

    @torch.inference_mode()
    def _step(self, ids: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        hidden, state = self.rnn(self.one_hot[ids].unsqueeze(0), state)
        return self.output(hidden[0]), state

    @torch.inference_mode()
    def write(self, count: int) -> torch.Tensor:
        """Generate `count` characters of every text at temperature 1."""
        ids, state = torch.zeros(self.streams, dtype=torch.long), None
        written = torch.zeros((count, self.streams), dtype=torch.long)
        for step in range(count):
            logits, state = self._step(ids, state)
            ids = torch.multinomial(nn.functional.softmax(logits, dim=1), 1).squeeze(1)
            written[step] = ids
        return written

    @torch.inference_mode()
    def likeliest(self, count: int) -> NDArray[np.int64]:
        """Return the ids of one text at temperature 0."""
        ids, state, text = torch.zeros(1, dtype=torch.long), None, []
        for _ in range(count):
            logits, state = self._step(ids, state)
            ids = logits.argmax(1)
            text.append(int(ids))
        return np.array(text)

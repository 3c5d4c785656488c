"""The training in PyTorch, float32, with nn.RNN and nn.Linear as in PyTorch's documentation.

Fastest of what was measured on one core: one-hot rows looked up as an embedding of the identity, the fused
AdaGrad, and `foreach=False` for the clip (benchmarks/README.md has the figures).

Where it differs: nn.RNN has two biases; `bias_hh` is held at zero, else b would learn at twice the rate.
`torch.optim.Adagrad` adds eps outside the root; eps 0 with sums of squares that begin at 1e-8 is
sqrt(1e-8 + sum of g²), the same number up to rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from peers.setting import CLIP, EPSILON, HIDDEN, RATE, TAU, Parameters, initial, updates_per_epoch

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Peer:
    """A training on one thread; `train` continues it."""

    def __init__(self, symbols: int, *, seed: int = 0, parameters: Parameters | None = None) -> None:
        torch.set_num_threads(1)
        first = initial(symbols, seed) if parameters is None else parameters
        self.rnn = nn.RNN(symbols, HIDDEN)
        self.output = nn.Linear(HIDDEN, symbols)
        weights = dict(self.rnn.named_parameters())
        weights["bias_hh_l0"].requires_grad_(False).zero_()
        self.tensors = {
            "U": weights["weight_ih_l0"],
            "W": weights["weight_hh_l0"],
            "b": weights["bias_ih_l0"],
            "V": self.output.weight,
            "c": self.output.bias,
        }
        with torch.no_grad():
            for name, tensor in self.tensors.items():
                tensor.copy_(torch.from_numpy(first[name]))
        self.optimizer = torch.optim.Adagrad(
            list(self.tensors.values()), lr=RATE, eps=0.0, initial_accumulator_value=EPSILON, fused=True
        )
        self.criterion = nn.CrossEntropyLoss(reduction="sum")
        self.one_hot = torch.eye(symbols)
        self.h = torch.zeros(1, HIDDEN)
        self.done = 0

    def train(self, ids: NDArray[np.int64], updates: int) -> NDArray[np.float64]:
        """Train for `updates` more updates on the text `ids`; return the loss of each, in nats per sequence."""
        text = torch.from_numpy(ids)
        losses = np.empty(updates)
        for n in range(updates):
            place = self.done % updates_per_epoch(len(ids)) * TAU
            if place == 0:
                self.h = torch.zeros(1, HIDDEN)
            losses[n] = self.update(text[place : place + TAU], text[place + 1 : place + TAU + 1])
            self.done += 1
        return losses

    def update(self, inputs: torch.Tensor, targets: torch.Tensor) -> float:
        """Run one update on ids (tau,) and the characters that follow them; return its loss."""
        states, h = self.rnn(nn.functional.embedding(inputs, self.one_hot), self.h)
        loss = self.criterion(self.output(states), targets)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(self.tensors.values(), CLIP, foreach=False)
        self.optimizer.step()
        self.h = h.detach()
        return float(loss.item())

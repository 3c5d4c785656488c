"""The training in batches in PyTorch, float32, eager: nn.LSTM, nn.GRU or nn.RNN, nn.Linear and the fused Adam.

The modules read rows of the identity matrix, since nn.LSTM and the others accept no ids. Clipping uses PyTorch's
default for `foreach` (benchmarks/README.md has the numbers of the alternatives).

nn.LSTM and the others have two biases, although one is enough. `bias_hh` stays zero; otherwise b would have twice the
learning rate. Gate n of a GRU is the exception: its second bias, b_n, is inside the product with r.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from peers.batch_setting import BETA1, BETA2, CLIP_NORM, EPSILON, RATE, Ids, Parameters, Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

KINDS = {"elman": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class Peer:
    """A training; `train` continues it."""

    def __init__(self, shape: Shape, parameters: Parameters, threads: int) -> None:
        torch.set_num_threads(threads)
        symbols, self.hidden = parameters["V"].shape
        self.rnn = KINDS[shape.cell](symbols, shape.hidden, shape.layers)
        self.output = nn.Linear(shape.hidden, symbols)
        self.second_biases = [getattr(self.rnn, f"bias_hh_l{layer}") for layer in range(shape.layers)]
        self.gated = shape.cell == "gru"
        self._load(parameters, shape.layers)
        if not self.gated:
            for bias in self.second_biases:
                bias.requires_grad_(False)
        self.learned = [p for p in (*self.rnn.parameters(), *self.output.parameters()) if p.requires_grad]
        self.optimizer = torch.optim.Adam(self.learned, lr=RATE, betas=(BETA1, BETA2), eps=EPSILON, fused=True)
        self.criterion = nn.CrossEntropyLoss(reduction="sum")
        self.one_hot = torch.eye(symbols)
        zeros = torch.zeros(shape.layers, shape.batch, shape.hidden)
        self.state = (zeros, zeros) if shape.cell == "lstm" else zeros

    @torch.no_grad()
    def _load(self, parameters: Parameters, layers: int) -> None:
        pairs = {"weight_ih": "U", "weight_hh": "W", "bias_ih": "b"}
        for layer in range(layers):
            for theirs, ours in pairs.items():
                getattr(self.rnn, f"{theirs}_l{layer}").copy_(torch.from_numpy(parameters[f"layers.{layer}.{ours}"]))
            self.second_biases[layer].zero_()
            if self.gated:
                self.second_biases[layer][2 * self.hidden :] = torch.from_numpy(parameters[f"layers.{layer}.b_n"])
        self.output.weight.copy_(torch.from_numpy(parameters["V"]))
        self.output.bias.copy_(torch.from_numpy(parameters["c"]))

    def train(self, inputs: Ids, targets: Ids) -> NDArray[np.float64]:
        """Run one update for each of `inputs` and `targets` (n, T, B); return the losses (n,), each a sum in nats."""
        pairs = zip(torch.from_numpy(inputs), torch.from_numpy(targets), strict=True)
        return np.array([self.update(x, y) for x, y in pairs])

    def update(self, inputs: torch.Tensor, targets: torch.Tensor) -> float:
        """Run one update on ids (T, B) and the characters that follow them; return its loss."""
        states, state = self.rnn(nn.functional.embedding(inputs, self.one_hot), self.state)
        loss = self.criterion(self.output(states).flatten(0, 1), targets.flatten())
        self.optimizer.zero_grad()
        loss.backward()
        if self.gated:
            for bias in self.second_biases:
                bias.grad[: 2 * self.hidden] = 0
        nn.utils.clip_grad_norm_(self.learned, CLIP_NORM)
        self.optimizer.step()
        self.state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        return float(loss.item())

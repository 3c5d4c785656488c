"""Train in float32 with PyTorch, on a CPU or a GPU: PyTorch's autograd, and the optimizers of `network.optimizers`.

The pure optimizers work on PyTorch tensors without a change; here they update the flat array of all parameters.
PyTorch's optimizers add epsilon in other places and store other states, so that no other engine could resume from them.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
from collections.abc import Iterator, Mapping

import numpy as np
import torch

from recurra.config import ModelConfig, TrainingConfig
from recurra.engines.engine import Array, Batches, ProcessGroup, Start, StepwiseEngine, Update
from recurra.engines.flat_parameters import FLAT, flatten_state, unflatten_state
from recurra.engines.sharding import streams_of_rank, threads_of
from recurra.engines.torch_device import select_device, temporary_settings
from recurra.engines.torch_network import Carried, Flat, Tensor, TorchNetwork
from recurra.network import network, optimizers
from recurra.network.dropout import masks_of_update
from recurra.network.network import State
from recurra.network.optimizers import PURE_OPTIMIZERS, PureOptimizer, optimizer_of
from recurra.network.state import map_state


def _in_torch(pure: PureOptimizer) -> PureOptimizer:
    """Return the optimizer for PyTorch tensors: with PyTorch's square root if its update has an argument `sqrt`."""
    has_sqrt = "sqrt" in inspect.signature(pure.update).parameters
    return PureOptimizer(pure.init, functools.partial(pure.update, sqrt=torch.sqrt)) if has_sqrt else pure


TORCH_OPTIMIZERS = {name: _in_torch(pure) for name, pure in PURE_OPTIMIZERS.items()}


class TorchEngine(StepwiseEngine):
    """Training with PyTorch, update by update."""

    name = "torch"

    def __init__(
        self, config: ModelConfig, training: TrainingConfig, start: Start, ranks: ProcessGroup | None = None
    ) -> None:
        super().__init__(config, training, start)
        self._ranks = ranks
        self._part = streams_of_rank(training, ranks)
        self._device = select_device(training.device, 0 if ranks is None else ranks.local_rank)
        self.device = "cpu" if self._device.type == "cpu" else str(torch.cuda.get_device_name(self._device))
        symbols = len(start.parameters["c"])
        self._layout = Flat(config, symbols)
        self._network = TorchNetwork(config, symbols, self._device)
        self._flat = self._on_device(self._layout.pack(start.parameters))
        self._network.put(self._flat)
        self._optimizer = optimizer_of(training, TORCH_OPTIMIZERS)
        self._optimizer_state = self._load_optimizer_state(start.optimizer_state)
        self._threads = threads_of(training, ranks)
        self._carried: Carried = []
        self._put_state(network.zero_state(config, training.batch_size) if start.state is None else start.state)

    def _on_device(self, array: Array) -> Tensor:
        return torch.tensor(array, device=self._device)

    def _load_optimizer_state(self, saved: Mapping[str, Array] | None) -> dict[str, Tensor]:
        """Return the optimizer state on the device: a new state, or the `saved` state of any engine."""
        state = self._optimizer.init({FLAT: np.zeros(len(self._flat), np.float32)})
        if saved is not None:
            state = flatten_state(state, saved, self._layout)
        return {name: self._on_device(array.astype(np.float32)) for name, array in state.items()}

    @contextlib.contextmanager
    def _updating(self, inputs: Batches, targets: Batches) -> Iterator[Update]:
        with temporary_settings(self._threads):
            x, y = (self._on_device(np.ascontiguousarray(ids, np.int64)) for ids in (inputs, targets))
            yield lambda i, rate: self._update(x[i], y[i], rate)

    def _update(self, x: Tensor, y: Tensor, rate: float) -> tuple[float, float]:
        device_loss, gradient, self._carried = self._network.loss_and_gradient(x, y, self._carried, self._masks())
        if self._ranks is not None:
            device_loss, gradient = self._sum_over_ranks(self._ranks, device_loss, gradient)
        squares = gradient.to(torch.float64).square().sum()
        loss, square = torch.stack([device_loss, squares]).tolist()  # synchronize with the device once
        norm = math.sqrt(square) if square >= 0 else math.nan
        if not math.isfinite(loss + norm):
            optimizers.require_finite(loss, self._layout.unpack(gradient.cpu().numpy()), self._updates_done + 1)
        self._step(self._clip(gradient, norm), rate)
        return loss, norm

    @staticmethod
    def _sum_over_ranks(ranks: ProcessGroup, loss: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss and the gradient summed over all processes.

        One message carries both, in float32; so the loss of each process is rounded to float32.
        """
        both = torch.cat([gradient, loss.to(torch.float32).reshape(1)])
        ranks.add(both)
        return both[-1].to(torch.float64), both[:-1]

    def _masks(self) -> Tensor | None:
        masks = masks_of_update(self._config, self._training, self._updates_done)
        return None if masks is None else self._on_device(masks[:, self._part])

    def _clip(self, gradient: Tensor, norm: float) -> Tensor:
        limit, value = self._training.clip_norm, self._training.clip_value
        if limit is not None and norm > limit:
            gradient = gradient * (limit / norm)
        return gradient if value is None else gradient.clamp(-value, value)

    def _step(self, gradient: Tensor, rate: float) -> None:
        parameters, self._optimizer_state = self._optimizer.update(
            {FLAT: self._flat}, {FLAT: gradient}, self._optimizer_state, rate
        )
        self._flat = parameters[FLAT]
        self._network.put(self._flat)

    def warm_up(self) -> None:
        """Run forward and backward once without an update, so that PyTorch loads the libraries of the device."""
        ids = self._on_device(np.zeros((1, self._part.stop - self._part.start), np.int64))
        with temporary_settings(self._threads):
            self._network.loss_and_gradient(ids, ids, self._carried, None)[0].item()

    def parameters(self) -> dict[str, Array]:
        return self._layout.unpack(self._flat.cpu().numpy())

    def magnitudes(self) -> dict[str, float]:
        parts = self._flat.split(self._layout.sizes)
        largest = torch.stack([part.abs().max() for part in parts]).tolist()  # synchronize with the device once
        return dict(zip(self._layout.shapes, largest, strict=True))

    def optimizer_state(self) -> dict[str, Array]:
        state = {name: tensor.cpu().numpy() for name, tensor in self._optimizer_state.items()}
        return unflatten_state(state, self._layout)

    def state(self) -> State:
        return self._network.state(self._carried)

    def _put_state(self, state: State) -> None:
        self._carried = self._network.carried(map_state(lambda field: field[:, self._part], state))

"""Train in PyTorch, float32, on a CPU or a GPU: its autograd, our optimizers.

The optimizers are those of `network.optimizers`: their equations hold for torch tensors as they stand, on all
parameters laid end to end. PyTorch's own ones differ in where epsilon stands, in AdaGrad's and in what a checkpoint
keeps, so that no other engine could go on from theirs.
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
    """Return an optimizer for tensors: with the square root of PyTorch, if it takes roots."""
    rooted = "sqrt" in inspect.signature(pure.update).parameters
    return PureOptimizer(pure.init, functools.partial(pure.update, sqrt=torch.sqrt)) if rooted else pure


TORCH_OPTIMIZERS = {name: _in_torch(pure) for name, pure in PURE_OPTIMIZERS.items()}


class TorchEngine(StepwiseEngine):
    """Training, one update after the other."""

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
        self._optimizer_state = self._loaded(start.optimizer_state)
        self._threads = threads_of(training, ranks)
        self._carried: Carried = []
        self._put_state(network.zero_state(config, training.batch_size) if start.state is None else start.state)

    def _on_device(self, array: Array) -> Tensor:
        return torch.tensor(array, device=self._device)

    def _loaded(self, saved: Mapping[str, Array] | None) -> dict[str, Tensor]:
        """The optimizer's state on the device: new, or of what another engine may have `saved`."""
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
        loss_there, gradient, self._carried = self._network.loss_and_gradient(x, y, self._carried, self._masks())
        if self._ranks is not None:
            loss_there, gradient = self._summed(self._ranks, loss_there, gradient)
        squares = gradient.to(torch.float64).square().sum()
        loss, square = torch.stack([loss_there, squares]).tolist()  # one wait for the device
        norm = math.sqrt(square) if square >= 0 else math.nan
        if not math.isfinite(loss + norm):
            optimizers.require_finite(loss, self._layout.unpack(gradient.cpu().numpy()), self._updates_done + 1)
        self._step(self._clipped(gradient, norm), rate)
        return loss, norm

    @staticmethod
    def _summed(ranks: ProcessGroup, loss: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and gradient of all streams: one message, so that a loss is rounded to float32."""
        both = torch.cat([gradient, loss.to(torch.float32).reshape(1)])
        ranks.add(both)
        return both[-1].to(torch.float64), both[:-1]

    def _masks(self) -> Tensor | None:
        masks = masks_of_update(self._config, self._training, self._updates_done)
        return None if masks is None else self._on_device(masks[:, self._part])

    def _clipped(self, gradient: Tensor, norm: float) -> Tensor:
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
        """One pass that changes nothing: the device's libraries are loaded before the clock runs."""
        ids = self._on_device(np.zeros((1, self._part.stop - self._part.start), np.int64))
        with temporary_settings(self._threads):
            self._network.loss_and_gradient(ids, ids, self._carried, None)[0].item()

    def parameters(self) -> dict[str, Array]:
        return self._layout.unpack(self._flat.cpu().numpy())

    def magnitudes(self) -> dict[str, float]:
        parts = self._flat.split(self._layout.sizes)
        found = torch.stack([part.abs().max() for part in parts]).tolist()  # one wait for the device
        return dict(zip(self._layout.shapes, found, strict=True))

    def optimizer_state(self) -> dict[str, Array]:
        state = {name: own.cpu().numpy() for name, own in self._optimizer_state.items()}
        return unflatten_state(state, self._layout)

    def state(self) -> State:
        return self._network.state(self._carried)

    def _put_state(self, state: State) -> None:
        self._carried = self._network.carried(map_state(lambda field: field[:, self._part], state))

"""The network as PyTorch modules: one recurrent module for each layer, with recurra's dropout masks between them.

PyTorch's layers have two biases, whose sum would learn at twice the rate. Therefore `bias_ih` is b, and `bias_hh` stays
zero and does not learn. A GRU is the exception: the rows n of its `bias_hh` are b_n, which r multiplies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recurra.config import ModelConfig
from recurra.network.cells import cell_of, torch_module
from recurra.network.network import State
from recurra.network.output import PADDING
from recurra.network.parameters import parameter_shapes

Array = NDArray[Any]
Tensor = Any  # a torch.Tensor; Any, so that mypy gives the same result if PyTorch is not installed
Carried = list[tuple[Tensor, ...]]  # for each layer h, and c of an LSTM, (1, B, H) each
TORCH_NAMES = {"U": "weight_ih_l0", "W": "weight_hh_l0", "b": "bias_ih_l0"}


class Flat:
    """The flat array of all parameters of a network, float32 (N,), in the order of `network.parameters`."""

    def __init__(self, config: ModelConfig, symbols: int) -> None:
        self.shapes = parameter_shapes(config, symbols)
        self.sizes = [math.prod(shape) for shape in self.shapes.values()]

    def pack(self, values: Mapping[str, Array], prefix: str = "") -> Array:
        """Return the flat array of `values`, whose names begin with `prefix`."""
        return np.concatenate([np.asarray(values[prefix + name], np.float32).ravel() for name in self.shapes])

    def unpack(self, flat: Array, prefix: str = "") -> dict[str, Array]:
        """Return copies of the values in `flat`, by name."""
        parts = np.split(flat, np.cumsum(self.sizes)[:-1])
        return {
            prefix + name: part.reshape(shape).copy()
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }


class _Learned(NamedTuple):
    """A tensor of a PyTorch module, and the part of it that is one parameter of the network."""

    tensor: Tensor
    part: slice


class TorchNetwork:
    """The PyTorch modules of a network on one device, for K = `symbols` characters."""

    def __init__(self, config: ModelConfig, symbols: int, device: Any) -> None:
        self._config, self._symbols, self._device = config, symbols, device
        self._module = torch_module(config)
        sizes = [symbols] + [config.hidden_size] * (config.layers - 1)
        self._layers = [self._layer(size).to(device) for size in sizes]
        self._output = nn.Linear(config.hidden_size, symbols).to(device)
        self._learned = [self._place(name) for name in parameter_shapes(config, symbols)]
        self._sizes = [learned.tensor[learned.part].numel() for learned in self._learned]

    def _layer(self, inputs: int) -> Any:
        options = {"nonlinearity": self._config.activation} if self._module.takes_activation else {}
        layer = getattr(nn, self._module.name)(inputs, self._config.hidden_size, **options)
        with torch.no_grad():
            layer.bias_hh_l0.zero_()
        layer.bias_hh_l0.requires_grad_(bool(self._module.recurrent_biases))
        return layer

    def _place(self, name: str) -> _Learned:
        """Return the place of the parameter `name` in the modules."""
        if name in {"V", "c"}:
            return _Learned(self._output.weight if name == "V" else self._output.bias, slice(None))
        _, number, parameter = name.split(".")
        layer, gate = self._layers[int(number)], self._module.recurrent_biases.get(parameter)
        if gate is None:
            return _Learned(getattr(layer, TORCH_NAMES[parameter]), slice(None))
        return _Learned(layer.bias_hh_l0, cell_of(self._config).gate_rows(gate, self._config.hidden_size))

    def put(self, flat: Tensor) -> None:
        """Copy the parameters `flat` (N,) into the modules."""
        with torch.no_grad():
            for learned, values in zip(self._learned, flat.split(self._sizes), strict=True):
                target = learned.tensor[learned.part]
                target.copy_(values.view_as(target))

    def loss_and_gradient(
        self, x: Tensor, y: Tensor, state: Carried, masks: Tensor | None
    ) -> tuple[Tensor, Tensor, Carried]:
        """Return the loss in nats (a sum over T and B), its gradient (N,), and the final state.

        `x` and `y` are ids (T, B); a target below 0 is padding, without loss and gradient. `masks` (L - 1, B, H) are
        the dropout masks.
        """
        outputs, ends = self._forward(x, state, masks)
        logits = self._output(outputs.flatten(0, 1))
        losses = nn.functional.cross_entropy(logits, y.flatten(), ignore_index=PADDING, reduction="none")
        loss = losses.sum(dtype=torch.float64)
        gradients = torch.autograd.grad(loss, [learned.tensor for learned in self._learned])
        pairs = zip(self._learned, gradients, strict=True)
        gradient = torch.cat([tensor[learned.part].flatten() for learned, tensor in pairs])
        return loss.detach(), gradient, [tuple(field.detach() for field in fields) for fields in ends]

    def _forward(self, x: Tensor, state: Carried, masks: Tensor | None) -> tuple[Tensor, Carried]:
        # One-hot inputs: the layers accept no ids, and the gradient of a matrix product has a fixed order of sums.
        h = torch.zeros(*x.shape, self._symbols, device=self._device).scatter_(2, x.unsqueeze(2), 1.0)
        ends = []
        for number, (layer, fields) in enumerate(zip(self._layers, state, strict=True)):
            if number > 0 and masks is not None:
                h = h * masks[number - 1]
            h, end = layer(h, fields if len(fields) > 1 else fields[0])
            ends.append(end if isinstance(end, tuple) else (end,))
        return h, ends

    def carried(self, state: State) -> Carried:
        """Return `state`, each field (L, B, H), in the form that the layers read."""
        fields = [torch.tensor(np.asarray(field, np.float32), device=self._device) for field in state]
        return [tuple(field[number : number + 1] for field in fields) for number in range(self._config.layers)]

    def state(self, carried: Carried) -> State:
        """Return a copy of `carried` as a state, each field (L, B, H)."""
        fields = [torch.cat(field).cpu().numpy().copy() for field in zip(*carried, strict=True)]
        state: State = cell_of(self._config).state(*fields)
        return state

"""Convert our parameters to the state_dict of modules of PyTorch, and back.

rnn       torch.nn.RNN, LSTM or GRU (K, H, L), which reads one-hot characters; layer l has weight_ih_l{l} = U,
          weight_hh_l{l} = W, and two biases whose sum is b, but for the n of a GRU, where the second is b_n
output    torch.nn.Linear (H, K): weight = V, bias = c

Our gates are stacked in PyTorch's order (LSTM i f g o, GRU r z n). Exported, the second bias is zero but for n;
imported, a bias plus zero is that bias in every bit. Many networks of others read the characters through an
nn.Embedding E (K, D): U = weight_ih_l0 E^T is the same network without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recurra.config import ModelConfig
from recurra.errors import ModelError, UsageError
from recurra.interop.torch_names import Names, Parts, parts_of
from recurra.network.cells import CELLS, cell_of, torch_module
from recurra.network.parameters import layer_parameters

Array = npt.NDArray[Any]
CELLS_BY_GATES = {len(spec.gates): spec.name for spec in CELLS.values() if spec.torch is not None}


class Network(NamedTuple):
    """What a state_dict is: a network, its characters still in the order of its own ids."""

    config: ModelConfig
    parameters: dict[str, Array]


def to_state(config: ModelConfig, parameters: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors by PyTorch's names, "rnn.…" and "output.…", of the parameters by ours."""
    state: dict[str, Array] = {}
    recurrent_biases = torch_module(config).recurrent_biases
    for layer in range(config.layers):
        own = layer_parameters(parameters, layer)
        second = second_bias(config, own, recurrent_biases)
        named = {"weight_ih": own["U"], "weight_hh": own["W"], "bias_ih": own["b"], "bias_hh": second}
        state |= {f"rnn.{name}_l{layer}": array for name, array in named.items()}
    return state | {"output.weight": parameters["V"], "output.bias": parameters["c"]}


def second_bias(config: ModelConfig, own: Mapping[str, Array], recurrent_biases: Mapping[str, str]) -> Array:
    """Return the recurrent bias (G·H,) of a layer: zero but for the gates named in `recurrent_biases`."""
    second = np.zeros_like(own["b"])
    for name, gate in recurrent_biases.items():
        second[cell_of(config).gate_rows(gate, config.hidden_size)] = own[name]
    return second


def from_state(tensors: Mapping[str, Array], names: Names | None = None, activation: str = "tanh") -> Network:
    """The network of a state_dict, whose modules have `names`; float32, rounded where they are float64.

    A file does not say which `activation` an nn.RNN has. Raises ModelError where it is no such network.
    """
    parts = parts_of(tensors, names or Names())
    config = _config(parts, activation)
    parameters: dict[str, Array] = {}
    for layer in range(config.layers):
        U = parts.weight_ih(layer) if layer else _embedded(parts)
        own = {"U": U, "W": parts.weight_hh(layer)} | _biases(parts, layer, config)
        parameters |= {f"layers.{layer}.{name}": array for name, array in own.items()}
    parameters |= {"V": parts.output_weight, "c": parts.output_bias}
    with np.errstate(over="ignore"):  # infinity is found where the model is built
        return Network(config, {name: np.asarray(array, np.float32) for name, array in parameters.items()})


def _config(parts: Parts, activation: str) -> ModelConfig:
    """The network that the shapes tell of."""
    W = parts.weight_hh(0)
    rows, m = W.shape
    cell = CELLS_BY_GATES.get(rows // m) if m and rows % m == 0 else None
    if cell is None:
        raise ModelError(
            f"`{parts.recurrent}weight_hh_l0` is {rows} x {m}; expected H x H of an RNN, 3H x H of a GRU or "
            "4H x H of an LSTM."
        )
    ModelConfig(cell=cell, activation=activation)  # which the user may have given
    try:
        return ModelConfig(cell=cell, activation=activation, hidden_size=m, layers=parts.layers)
    except UsageError as error:
        raise ModelError(error.message, hint=error.hint) from error


def _embedded(parts: Parts) -> Array:
    """U (G·H, K) of layer 0: what reads one-hot characters, the embedding included where there is one."""
    weight = parts.weight_ih(0)
    if parts.embedding_weight is None:
        return weight
    with np.errstate(over="ignore", invalid="ignore"):
        product: Array = weight.astype(np.float64) @ parts.embedding_weight.T.astype(np.float64)
    return product


def _biases(parts: Parts, layer: int, config: ModelConfig) -> dict[str, Array]:
    """The bias b of a layer, and the biases that stand inside a product with a gate: b_n of a GRU."""
    first, second = (parts.bias(which, layer) for which in ("ih", "hh"))
    added = np.where(second == 0, first, first.astype(np.float64) + second)  # -0.0 + 0.0 would lose its sign
    own = {"b": added}
    for name, gate in torch_module(config).recurrent_biases.items():
        rows = cell_of(config).gate_rows(gate, config.hidden_size)
        added[rows], own[name] = first[rows], second[rows]
    return own

"""Convert recurra's parameters to the state_dict of PyTorch modules, and back.

rnn       torch.nn.RNN, LSTM or GRU (K, H, L), which reads one-hot characters; layer l has weight_ih_l{l} = U,
          weight_hh_l{l} = W, and two biases with the sum b; for gate n of a GRU the second bias is b_n
output    torch.nn.Linear (H, K): weight = V, bias = c

The gates have PyTorch's order (LSTM i f g o, GRU r z n). An export sets the second bias to zero, except for gate n; an
import adds both biases, and adding zero changes no bit. Other programs often read the characters through an
nn.Embedding E (K, D): U = weight_ih_l0 E^T gives the same network without the embedding.
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
    """The network in a state_dict, with the ids of the other program."""

    config: ModelConfig
    parameters: dict[str, Array]


def to_state(config: ModelConfig, parameters: Mapping[str, Array]) -> dict[str, Array]:
    """Return the parameters under PyTorch's names, "rnn.…" and "output.…"."""
    state: dict[str, Array] = {}
    recurrent_biases = torch_module(config).recurrent_biases
    for layer in range(config.layers):
        arrays = layer_parameters(parameters, layer)
        second = second_bias(config, arrays, recurrent_biases)
        named = {"weight_ih": arrays["U"], "weight_hh": arrays["W"], "bias_ih": arrays["b"], "bias_hh": second}
        state |= {f"rnn.{name}_l{layer}": array for name, array in named.items()}
    return state | {"output.weight": parameters["V"], "output.bias": parameters["c"]}


def second_bias(config: ModelConfig, arrays: Mapping[str, Array], recurrent_biases: Mapping[str, str]) -> Array:
    """Return the recurrent bias (G·H,) of a layer with the parameters `arrays`: zero except for some gates.

    `recurrent_biases` has the parameter name and the gate of each exception.
    """
    second = np.zeros_like(arrays["b"])
    for name, gate in recurrent_biases.items():
        second[cell_of(config).gate_rows(gate, config.hidden_size)] = arrays[name]
    return second


def from_state(tensors: Mapping[str, Array], names: Names | None = None, activation: str = "tanh") -> Network:
    """Return the network of a state_dict, rounded to float32.

    Args:
        tensors: the tensors by name, float16, float32 or float64.
        names: names of the modules; None: find the modules.
        activation: activation of an nn.RNN, which a state_dict does not contain.
    Raises: ModelError if the tensors are not an nn.RNN, LSTM or GRU with a projection.
    """
    parts = parts_of(tensors, names or Names())
    config = _config(parts, activation)
    parameters: dict[str, Array] = {}
    for layer in range(config.layers):
        U = parts.weight_ih(layer) if layer else _embedded(parts)
        arrays = {"U": U, "W": parts.weight_hh(layer)} | _biases(parts, layer, config)
        parameters |= {f"layers.{layer}.{name}": array for name, array in arrays.items()}
    parameters |= {"V": parts.output_weight, "c": parts.output_bias}
    with np.errstate(over="ignore"):  # LanguageModel rejects infinity
        return Network(config, {name: np.asarray(array, np.float32) for name, array in parameters.items()})


def _config(parts: Parts, activation: str) -> ModelConfig:
    """Return the settings that follow from the shapes."""
    W = parts.weight_hh(0)
    rows, m = W.shape
    cell = CELLS_BY_GATES.get(rows // m) if m and rows % m == 0 else None
    if cell is None:
        raise ModelError(
            f"`{parts.recurrent}weight_hh_l0` is {rows} x {m}; expected H x H of an RNN, 3H x H of a GRU or "
            "4H x H of an LSTM."
        )
    ModelConfig(cell=cell, activation=activation)  # a wrong activation is an error of the user: UsageError
    try:
        return ModelConfig(cell=cell, activation=activation, hidden_size=m, layers=parts.layers)
    except UsageError as error:
        raise ModelError(error.message, hint=error.hint) from error


def _embedded(parts: Parts) -> Array:
    """Return U (G·H, K) of layer 0: the input weights, multiplied by the embedding if there is one."""
    weight = parts.weight_ih(0)
    if parts.embedding_weight is None:
        return weight
    with np.errstate(over="ignore", invalid="ignore"):
        product: Array = weight.astype(np.float64) @ parts.embedding_weight.T.astype(np.float64)
    return product


def _biases(parts: Parts, layer: int, config: ModelConfig) -> dict[str, Array]:
    """Return the bias b of a layer, and the biases inside a product with a gate: b_n of a GRU."""
    first, second = (parts.bias(which, layer) for which in ("ih", "hh"))
    added = np.where(second == 0, first, first.astype(np.float64) + second)  # -0.0 + 0.0 would lose its sign
    biases = {"b": added}
    for name, gate in torch_module(config).recurrent_biases.items():
        rows = cell_of(config).gate_rows(gate, config.hidden_size)
        added[rows], biases[name] = first[rows], second[rows]
    return biases

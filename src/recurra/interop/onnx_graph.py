"""Export of the model as an ONNX graph, built node by node; recurra never loads ONNX files.

    inputs    ids (T, B) int64; h (L, B, H), and c (L, B, H) of an LSTM: float32, zeros before the first character
    outputs   log_probabilities (T, B, K) float32, ln p of the next character after each; h_out, and c_out

T and B are free. To read a text in parts of any length, pass h_out and c_out to the next call. If the property
`documents` is "lines", set h and c to zero before each line and start the line with a newline, as in training.
ONNX stacks the gates of an LSTM as i o f c and the gates of a GRU as z r h; linear_before_reset = 1 selects our GRU.
ONNX has two biases: the first is our bias, the second is zero except for gate h of a GRU, where it is b_n.

Source: the operators RNN, LSTM, GRU and OneHot of opset 14, https://onnx.ai/onnx/operators.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra import __version__
from recurra.config import NONE
from recurra.errors import UsageError
from recurra.interop.format_entry import FileFormat
from recurra.interop.torch_state import second_bias
from recurra.network.cells import cell_of, onnx_operator
from recurra.network.parameters import count, layer_parameters
from recurra.system import optional_dependencies

if TYPE_CHECKING:
    from pathlib import Path

    from recurra.interop.origin import Origin
    from recurra.model import LanguageModel

OPSET, IR_VERSION = 17, 8  # from 2022, so that runtimes of recent years support them
MAX_WEIGHT_BYTES = 2**31 - 2**20  # a protobuf message has at most 2^31 bytes; 2^20 are for the graph


def contents(origin: Origin, path: Path) -> dict[Path, bytes]:
    """Return the bytes of the file at `path`."""
    return {path: to_bytes(origin.model)}


def to_bytes(model: LanguageModel) -> bytes:
    """Return the bytes of the ONNX file.

    Raises: UsageError if the package onnx is missing or the model exceeds 2 GB.
    """
    optional_dependencies.require("onnx", "`--format onnx`")
    if 4 * count(model.parameters) > MAX_WEIGHT_BYTES:
        raise UsageError("the model has more than 2 GB: an ONNX file cannot hold it.", hint="use `--format torch`.")
    import onnx

    proto = _Builder(model).proto()
    onnx.checker.check_model(proto, full_check=True)
    data: bytes = proto.SerializeToString()
    return data


class _Builder:
    """The nodes and the constants of one graph, collected while it is built."""

    def __init__(self, model: LanguageModel) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._from_array = helper, numpy_helper.from_array
        self._model, self._config = model, model.config
        self._cell, self._operator = cell_of(model.config), onnx_operator(model.config)
        self._states = self._cell.state._fields
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def proto(self) -> Any:
        """Build the graph and return the ONNX model."""
        x = self._one_hot()
        initial_states = {name: self._split_state(name) for name in self._states}
        final_states: dict[str, list[str]] = {name: [] for name in self._states}
        for layer in range(self._config.layers):
            x, final = self._layer(layer, x, [initial_states[name][layer] for name in self._states])
            for name, output in zip(self._states, final, strict=True):
                final_states[name].append(output)
        self._projection(x)
        for name, outputs in final_states.items():
            self._node("Concat", outputs, [f"{name}_out"], axis=0)
        return self._finished()

    def _node(self, operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> str:
        """Add a node and return the name of its first output."""
        name = f"{operator}_{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(operator, inputs, outputs, name=name, **attributes))
        return outputs[0]

    def _constant(self, name: str, array: Any) -> str:
        self._constants.append(self._from_array(np.ascontiguousarray(array), name))
        return name

    def _one_hot(self) -> str:
        """Add the node that computes x (T, B, K) from the ids."""
        depth = self._constant("symbols", np.array(len(self._model.vocabulary), np.int64))
        values = self._constant("off_on", np.array([0, 1], np.float32))
        return self._node("OneHot", ["ids", depth, values], ["x"], axis=-1)

    def _split_state(self, name: str) -> list[str]:
        """Split input `name` (L, B, H), a field of the state, into (1, B, H) of each layer."""
        layers = self._config.layers
        sizes = self._constant(f"{name}_sizes", np.ones(layers, np.int64))
        outputs = [f"{name}_{layer}" for layer in range(layers)]
        self._node("Split", [name, sizes], outputs, axis=0)
        return outputs

    def _layer(self, layer: int, x: str, start: list[str]) -> tuple[str, list[str]]:
        """Add a layer; return the names of its output (T, B, H) and of the fields of its last state (1, B, H)."""
        weights = [self._constant(f"layers.{layer}.{name}", array) for name, array in self._stacked(layer).items()]
        attributes = {"hidden_size": self._config.hidden_size, **self._operator.attributes}
        if self._operator.takes_activation:
            attributes["activations"] = [self._config.activation.capitalize()]
        final = [f"{name}_{layer}_out" for name in self._states]
        inputs = [x, *weights, "", *start]  # the empty name: all sequences have length T
        y = self._node(self._operator.name, inputs, [f"y_{layer}", *final], **attributes)
        axis = self._constant(f"direction_{layer}", np.array([1], np.int64))
        return self._node("Squeeze", [y, axis], [f"layer_{layer}"]), final

    def _stacked(self, layer: int) -> dict[str, Any]:
        """Return ONNX's W (1, G·H, D), R (1, G·H, H) and B (1, 2·G·H) of a layer."""
        parameters = layer_parameters(self._model.parameters, layer)
        second = second_bias(self._config, parameters, self._operator.recurrent_biases)
        arrays = (parameters["U"], parameters["W"], parameters["b"], second)
        W_in, R, first, second = (self._in_onnx_order(array) for array in arrays)
        return {"W": W_in[np.newaxis], "R": R[np.newaxis], "B": np.concatenate([first, second])[np.newaxis]}

    def _in_onnx_order(self, array: Any) -> Any:
        """Reorder the gates of `array` (G·H, …) to the order of ONNX."""
        H = self._config.hidden_size
        return np.concatenate([array[self._cell.gate_rows(gate, H)] for gate in self._operator.gates])

    def _projection(self, x: str) -> None:
        weight = self._constant("output.weight", self._model.parameters["V"].T)
        bias = self._constant("output.bias", self._model.parameters["c"])
        product = self._node("MatMul", [x, weight], ["product"])
        logits = self._node("Add", [product, bias], ["logits"])
        self._node("LogSoftmax", [logits], ["log_probabilities"], axis=-1)

    def _finished(self) -> Any:
        from onnx import TensorProto

        H, L, K = self._config.hidden_size, self._config.layers, len(self._model.vocabulary)

        def value(name: str, kind: Any, shape: list[str | int]) -> Any:
            return self._helper.make_tensor_value_info(name, kind, shape)

        inputs = [value("ids", TensorProto.INT64, ["T", "B"])]
        inputs += [value(name, TensorProto.FLOAT, [L, "B", H]) for name in self._states]
        outputs = [value("log_probabilities", TensorProto.FLOAT, ["T", "B", K])]
        outputs += [value(f"{name}_out", TensorProto.FLOAT, [L, "B", H]) for name in self._states]
        graph = self._helper.make_graph(self._nodes, "recurra", inputs, outputs, self._constants)
        opset = self._helper.make_opsetid("", OPSET)
        proto = self._helper.make_model(
            graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="recurra", producer_version=__version__
        )
        self._helper.set_model_props(proto, _properties(self._model))
        return proto


def _properties(model: LanguageModel) -> dict[str, str]:
    """Return the metadata of the ONNX model; `vocabulary` is the content of vocab.json."""
    from recurra.interop.symbols import to_json

    table = {name: str(value) for name, value in model.config.to_table().items()}
    table["documents"] = model.documents or NONE
    words = json.dumps(to_json(model.vocabulary), ensure_ascii=False)
    return table | {"bytes": json.dumps(model.vocabulary.is_bytes), "vocabulary": words}


ENTRY = FileFormat("onnx", ".onnx", contents=contents)

"""A model as the browser reads it: the bytes that web/model.js unpacks, inlined in a report or sent by the live page.

The length of the header (uint32), the header in JSON, and the parameters in its order, float32; all little-endian.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from recurra.network.parameters import parameter_shapes

if TYPE_CHECKING:
    from recurra.config import ModelConfig
    from recurra.model import LanguageModel

ALIGNED = 4  # bytes: where the numbers begin


def pack(model: LanguageModel, update: int | None = None) -> bytes:
    """The bytes of `model`, of which `update` tells how long it has learned."""
    names = parameter_shapes(model.config, len(model.vocabulary))
    tensors = {name: np.ascontiguousarray(model.parameters[name], "<f4") for name in names}
    header = {
        "update": update,
        "cell": _kind(model.config),
        "layers": model.config.layers,
        "hidden_size": model.config.hidden_size,
        "vocabulary": model.vocabulary.code_points.tolist(),
        "bytes": model.vocabulary.is_bytes,
        "tensors": [[name, list(array.shape)] for name, array in tensors.items()],
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNED)
    return b"".join([len(text).to_bytes(4, "little"), text, *(array.tobytes() for array in tensors.values())])


def _kind(config: ModelConfig) -> str:
    """The name of the cell in web/cells.js."""
    return "elman_relu" if (config.cell, config.activation) == ("elman", "relu") else config.cell

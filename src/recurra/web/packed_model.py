"""Pack a model into bytes for the browser, which static/model.js unpacks, in a report or on the live page.

Format: the length of the header (uint32), the header (JSON), the parameters in the order of the header (float32); all
numbers are little-endian.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.network import network
from recurra.network.cells import cell_of
from recurra.network.parameters import parameter_shapes

if TYPE_CHECKING:
    from recurra.model import LanguageModel

WITNESS_CHARACTERS = 32  # few, so that rounding differences remain small in a chaotic network
WITNESS_DECIMALS = 9
ALIGNMENT_BYTES = 4  # for the first parameter


def pack(model: LanguageModel, update: int | None = None, name: str = "") -> bytes:
    """Return the bytes of `model` after `update` updates; the page shows `name`."""
    names = parameter_shapes(model.config, len(model.vocabulary))
    tensors = {name: np.ascontiguousarray(model.parameters[name], "<f4") for name in names}
    header = {
        "update": update,
        "name": name,
        "cell": cell_of(model.config).variant(model.config.activation),
        "layers": model.config.layers,
        "hidden_size": model.config.hidden_size,
        "vocabulary": model.vocabulary.code_points.tolist(),
        "bytes": model.vocabulary.is_bytes,
        "document_end": model.document_end,
        "witness": _witness(model),
        "tensors": [[name, list(array.shape)] for name, array in tensors.items()],
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT_BYTES)
    return b"".join([len(text).to_bytes(4, "little"), text, *(array.tobytes() for array in tensors.values())])


def _witness(model: LanguageModel) -> dict[str, Any]:
    """Return a text and the losses in nats of its characters after the first, with which the page checks itself.

    The float64 reference computes the losses. The page also uses float64, so a difference means an error in the page.
    The text of a model of documents is one document.
    """
    known = enumerate(model.vocabulary.symbols)
    symbols = [symbol for k, symbol in known if k != model.document_end]
    if model.vocabulary.is_bytes:
        symbols = [symbol for symbol in symbols if symbol.isascii()]
    text = "".join(symbols[:: max(1, len(symbols) // WITNESS_CHARACTERS)][:WITNESS_CHARACTERS])
    ids = model.vocabulary.encode(text).astype(np.int64)[:, np.newaxis]
    parameters = {name: array.astype(np.float64) for name, array in model.parameters.items()}
    logs = network.forward(model.config, parameters, ids[:-1], model.zero_state()).log_probabilities
    nats = -np.take_along_axis(logs, ids[1:, :, np.newaxis], -1).ravel()
    return {"text": text, "nats": np.round(nats, WITNESS_DECIMALS).tolist()}

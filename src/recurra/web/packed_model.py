"""A model as the browser reads it: the bytes that web/model.js unpacks, inlined in a report or sent by the live page.

The length of the header (uint32), the header in JSON, and the parameters in its order, float32; all little-endian.
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

WITNESS = 32  # characters: few, so that the least difference stays small in a chaotic network
DIGITS = 9
ALIGNED = 4  # bytes: where the numbers begin


def pack(model: LanguageModel, update: int | None = None, name: str = "") -> bytes:
    """The bytes of `model`, which has learned for `update` updates; `name` is what a page calls it."""
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
    text += b" " * (-len(text) % ALIGNED)
    return b"".join([len(text).to_bytes(4, "little"), text, *(array.tobytes() for array in tensors.values())])


def _witness(model: LanguageModel) -> dict[str, Any]:
    """A text of the model's own characters, and the nats of each but the first, for the page to compute again.

    They are the float64 reference's: the page computes in float64 too, and differs where it is wrong alone. Of a model
    of documents the text is one document.
    """
    known = enumerate(model.vocabulary.symbols)
    symbols = [symbol for k, symbol in known if k != model.document_end]
    if model.vocabulary.is_bytes:
        symbols = [symbol for symbol in symbols if symbol.isascii()]
    text = "".join(symbols[:: max(1, len(symbols) // WITNESS)][:WITNESS])
    ids = model.vocabulary.encode(text).astype(np.int64)[:, np.newaxis]
    parameters = {name: array.astype(np.float64) for name, array in model.parameters.items()}
    logs = network.forward(model.config, parameters, ids[:-1], model.zero_state()).log_probabilities
    nats = -np.take_along_axis(logs, ids[1:, :, np.newaxis], -1).ravel()
    return {"text": text, "nats": np.round(nats, DIGITS).tolist()}

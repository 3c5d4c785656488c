"""The encoding of messages between processes: JSON, and arrays in the safetensors format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

Array = NDArray[Any]
Message = dict[str, Any]


def pack_message(message: Message, arrays: Mapping[str, Array]) -> bytes:
    """Return the length of the JSON text as 8 bytes, the JSON text of `message`, and the arrays."""
    text = json.dumps(message).encode()
    return len(text).to_bytes(8, "little") + text + save({n: np.ascontiguousarray(a) for n, a in arrays.items()})


def unpack_message(data: bytes) -> tuple[Message, dict[str, Array]]:
    """Return the message and the arrays from the result of `pack_message`."""
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), load(data[end:])

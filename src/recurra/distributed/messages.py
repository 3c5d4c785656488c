"""Messages between processes as bytes: JSON, and arrays in the format of safetensors."""

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
    """The length of the message, the message, and the arrays."""
    words = json.dumps(message).encode()
    return len(words).to_bytes(8, "little") + words + save({n: np.ascontiguousarray(a) for n, a in arrays.items()})


def unpack_message(data: bytes) -> tuple[Message, dict[str, Array]]:
    """The message and the arrays in what was `pack_message`."""
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), load(data[end:])

"""The characters of the ids in an .npz file: an array of strings or of code points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from recurra.errors import ModelError
from recurra.interop.symbols import Symbols, Token, of_tokens
from recurra.interop.vocabulary_json import KEYS

Array = npt.NDArray[Any]


def symbols_in(arrays: Mapping[str, Array]) -> Symbols | None:
    """Return the symbols of the first array named code_points or like a vocabulary (`KEYS`); None if there is none."""
    for name, array in arrays.items():
        if name.lower() in KEYS or name == "code_points":
            try:
                tokens = _tokens(array)
                return None if tokens is None else of_tokens(tokens)
            except ValueError as error:
                raise ModelError(f"`{name:.40}` is not a vocabulary: {error}.") from error
    return None


def _tokens(array: Array) -> list[Token] | None:
    if array.dtype.kind == "S":
        array = np.char.decode(array, "latin-1")
    if array.dtype.kind == "U":
        return list(str(array)) if array.ndim == 0 else [str(item) for item in array.ravel()]
    return [int(item) for item in array.ravel()] if array.dtype.kind in "iu" else None

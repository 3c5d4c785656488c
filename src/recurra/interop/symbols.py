"""Which character each id of somebody else's network is, and the same network with its ids in our order.

Ours is that of code points; others have that of a set, or of first appearance. The rows and columns that belong to the
characters move with them, which changes no number.
"""

from __future__ import annotations

import unicodedata
import warnings
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from recurra.errors import ModelError
from recurra.text.text import Text
from recurra.text.vocabulary import CODE_POINTS, Vocabulary, code_points
from recurra.untrusted import parse_json

Array = npt.NDArray[Any]
FORMS: tuple[Literal["NFC"], Literal["NFD"]] = ("NFC", "NFD")
EXPECTED = (
    "it must be a string of all characters in the order of their ids, a list of characters or of code points, "
    'or an object such as {"a": 0} or {"0": "a"}.'
)


class Symbols(NamedTuple):
    """The code points (K,) of the characters in the order of their ids; `is_bytes` as in `Vocabulary`."""

    points: npt.NDArray[np.int64]
    is_bytes: bool = False


def symbols_of(vocabulary: Vocabulary) -> Symbols:
    """Those of a vocabulary of ours."""
    return Symbols(vocabulary.code_points.astype(np.int64), vocabulary.is_bytes)


def vocabulary_of(text: Text, size: int) -> Vocabulary:
    """Return the characters of `text`; if they are not `size` in number, those of its NFC or NFD if these are."""
    own = text.vocabulary
    if len(own) == size or text.is_bytes:
        return own
    for form in FORMS:
        found = Vocabulary.of(unicodedata.normalize(form, text.text))
        if len(found) == size:
            warnings.warn(
                f"the text has {len(own):,} characters, the network {size:,}: those of the text in Unicode's {form}.",
                stacklevel=2,
            )
            return found
    return own


def in_our_order(symbols: Symbols, parameters: dict[str, Array]) -> tuple[Vocabulary, dict[str, Array]]:
    """The vocabulary, and the parameters of its ids. Raises ModelError where they do not fit together."""
    K = len(parameters["c"])
    if len(symbols.points) != K:
        raise ModelError(
            f"the vocabulary has {len(symbols.points):,} characters, the network {K:,}.",
            hint="give the vocabulary that it was trained with, or the whole text.",
        )
    order = np.argsort(symbols.points, kind="stable")
    vocabulary = Vocabulary.from_code_points(symbols.points[order], is_bytes=symbols.is_bytes)
    moved = {"layers.0.U": parameters["layers.0.U"][:, order], "V": parameters["V"][order], "c": parameters["c"][order]}
    return vocabulary, {name: np.ascontiguousarray(moved.get(name, array)) for name, array in parameters.items()}


def from_json(data: bytes, name: str, *, is_bytes: bool = False) -> Symbols:
    """The symbols that the JSON text `data`, of the file `name`, tells of, in one of the ways that are `EXPECTED`."""
    try:
        points = _points(parse_json(data))
    except ValueError as error:
        raise ModelError(f"`{name}` is no vocabulary: {error}.", hint=EXPECTED) from error
    return Symbols(np.array(points, np.int64), is_bytes)


def _points(value: Any) -> list[int]:
    if isinstance(value, str):
        return [int(point) for point in code_points(value)]
    if isinstance(value, list):
        return [_point(item) for item in value]
    if isinstance(value, dict):
        return [_point(item) for item in _by_id(value)]
    raise ValueError(f"it is a {type(value).__name__}")


def _by_id(table: dict[str, Any]) -> list[Any]:
    """The characters in the order of their ids, from character → id or id → character."""
    pairs = [(item, key) if isinstance(item, int) else (key, item) for key, item in table.items()]
    found = {int(number): item for number, item in pairs if not isinstance(number, bool)}
    if sorted(found) != list(range(len(table))):
        raise ValueError(f"the ids of {len(table):,} characters are not 0 to {len(table) - 1:,}")
    return [found[number] for number in range(len(table))]


def _point(item: Any) -> int:
    if isinstance(item, str) and len(item) == 1:
        return ord(item)
    if isinstance(item, int) and not isinstance(item, bool) and 0 <= item < CODE_POINTS:
        return item
    raise ValueError(f"{item!r:.40} is no single character")


def to_json(vocabulary: Vocabulary) -> dict[str, int]:
    """Character → id, as vocab.json has it; a byte is the character of its number."""
    return {symbol: number for number, symbol in enumerate(vocabulary.symbols)}

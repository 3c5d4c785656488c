"""The character of each id of another program's network, and the same network with its ids in recurra's order.

recurra orders ids by code point; other programs order them by a set or by first appearance. Reordering moves the rows
and columns of each character and changes no number.

Symbols that are not single characters, such as `<pad>`, keep their rows, so that all probabilities stay the same.
Characters of Unicode's private use area, from U+E000, represent them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recurra.errors import ModelError
from recurra.text.vocabulary import CODE_POINTS, Vocabulary

Array = npt.NDArray[Any]
Token = str | int  # a character, the name of another symbol, or a code point
PRIVATE_USE = range(0xE000, 0xF900)
SPECIAL = re.compile(r"|<[^<>\s]{1,40}>|\[[A-Za-z0-9_]{2,40}\]|(?i:pad|unk|oov|eos|bos|sos|eot|eof|mask)")
SPELLED = {
    "<space>": " ", "[space]": " ", "<tab>": "\t", "<newline>": "\n", "<nl>": "\n", "<lf>": "\n", "[newline]": "\n",
    "\\n": "\n", "\\t": "\t", "\\r": "\r",
}  # fmt: skip


WRONG_SIZE_HINT = "give the vocabulary or the whole text of its training: `--vocabulary FILE.json` or `--text TEXT`."


class Symbols(NamedTuple):
    """The symbols of a network in the order of their ids.

    Attributes:
        points: (K,) code points of the characters.
        is_bytes: True if the symbols are bytes, as in `Vocabulary`.
        stand_ins: the symbols that are not single characters, each with the private code point that represents it.
        from_one: True if the ids start at 1, as in Keras's Tokenizer. The first point then represents an id 0 without
            a character; a network may lack the row of id 0.
    """

    points: npt.NDArray[np.int64]
    is_bytes: bool = False
    stand_ins: tuple[tuple[str, int], ...] = ()
    from_one: bool = False


def symbols_of(vocabulary: Vocabulary) -> Symbols:
    """Return the symbols of a recurra vocabulary."""
    return Symbols(vocabulary.code_points.astype(np.int64), vocabulary.is_bytes)


def of_tokens(tokens: Sequence[Token], *, from_one: bool = False) -> Symbols:
    """Return the symbols of `tokens`, one for each id.

    Raises: ValueError if a token is neither a character nor a known symbol such as `<pad>`.
    """
    points = [_point(token) for token in tokens]
    characters = [point for point in points if point is not None]
    taken = set(characters)
    if len(taken) < len(characters):
        (twice, _), *_ = Counter(characters).most_common(1)
        raise ValueError(f"{chr(twice)!r} occurs twice")
    for number, token in enumerate(tokens):
        spelled = SPELLED.get(token.lower()) if isinstance(token, str) and points[number] is None else None
        if spelled is not None and ord(spelled) not in taken:
            points[number] = ord(spelled)
            taken.add(ord(spelled))
    free = (point for point in PRIVATE_USE if point not in taken)
    stand_ins = []
    for number, token in enumerate(tokens):
        if points[number] is None:
            points[number] = next(free, None)
            if points[number] is None:
                raise ValueError(f"more than {len(PRIVATE_USE):,} symbols are not single characters")
            stand_ins.append((str(token), int(points[number] or 0)))
    return Symbols(np.array(points, np.int64), False, tuple(stand_ins), from_one)


def _point(token: Token) -> int | None:
    """Return the code point of a token; None if the token is a known symbol that is not a single character."""
    if isinstance(token, str) and len(token) == 1:
        return ord(token)
    if isinstance(token, int) and not isinstance(token, bool) and 0 <= token < CODE_POINTS:
        return token
    if isinstance(token, str) and (SPECIAL.fullmatch(token) or token.lower() in SPELLED):
        return None
    raise ValueError(f"{token!r:.40} is not a single character")


def drop_id_0(symbols: Symbols, K: int) -> Symbols:
    """Drop id 0 if the ids start at 1 and the network, which has K symbols, lacks the row of id 0."""
    if not symbols.from_one or len(symbols.points) != K + 1:
        return symbols
    return Symbols(symbols.points[1:], symbols.is_bytes, symbols.stand_ins[1:])


def reorder_parameters(symbols: Symbols, parameters: Mapping[str, Array]) -> tuple[Vocabulary, dict[str, Array]]:
    """Return the vocabulary in recurra's order, and the parameters with their rows and columns in the same order.

    Raises: ModelError if the vocabulary and the network have different sizes.
    """
    points, K = symbols.points, len(parameters["c"])
    if len(points) != K:
        raise ModelError(f"the vocabulary has {len(points):,} characters, the network {K:,}.", hint=WRONG_SIZE_HINT)
    order = np.argsort(points, kind="stable")
    vocabulary = Vocabulary.from_code_points(points[order], is_bytes=symbols.is_bytes)
    moved = {"layers.0.U": parameters["layers.0.U"][:, order], "V": parameters["V"][order], "c": parameters["c"][order]}
    return vocabulary, {name: np.ascontiguousarray(moved.get(name, array)) for name, array in parameters.items()}


def to_json(vocabulary: Vocabulary) -> dict[str, int]:
    """Return the content of vocab.json: character → id; the character with the number of a byte represents the byte."""
    return {symbol: number for number, symbol in enumerate(vocabulary.symbols)}

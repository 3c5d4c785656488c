"""The character of each id of another program's network, and the same network with its ids in our order.

Ours is that of code points; others have that of a set, or of first appearance. The rows and columns that belong to the
characters move with them, which changes no number.

Symbols that are no single character, such as `<pad>`, keep their rows too, so that every probability stays what it was:
characters of Unicode's private use area, U+E000 and on, stand for them.
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


class Symbols(NamedTuple):
    """The code points (K,) of the characters in the order of their ids.

    is_bytes      as in `Vocabulary`
    stand_ins     the symbols that are no single character, and the code point that stands for each
    from_one      True if the ids were counted from 1: the first point stands for an id 0 that has no character,
                  as a Tokenizer of Keras has it; a network without that id does not have that row
    """

    points: npt.NDArray[np.int64]
    is_bytes: bool = False
    stand_ins: tuple[tuple[str, int], ...] = ()
    from_one: bool = False


def symbols_of(vocabulary: Vocabulary) -> Symbols:
    """Those of a vocabulary of ours."""
    return Symbols(vocabulary.code_points.astype(np.int64), vocabulary.is_bytes)


def of_tokens(tokens: Sequence[Token], *, from_one: bool = False) -> Symbols:
    """The symbols of `tokens`, one for each id. Raises ValueError if one is neither a character nor a known symbol."""
    points = [_point(token) for token in tokens]
    characters = [point for point in points if point is not None]
    taken = set(characters)
    if len(taken) < len(characters):
        (twice, _), *_ = Counter(characters).most_common(1)
        raise ValueError(f"{chr(twice)!r} comes twice")
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
                raise ValueError(f"more than {len(PRIVATE_USE):,} symbols are no single character")
            stand_ins.append((str(token), int(points[number] or 0)))
    return Symbols(np.array(points, np.int64), False, tuple(stand_ins), from_one)


def _point(token: Token) -> int | None:
    """The code point of a token; None of a symbol that is no single character."""
    if isinstance(token, str) and len(token) == 1:
        return ord(token)
    if isinstance(token, int) and not isinstance(token, bool) and 0 <= token < CODE_POINTS:
        return token
    if isinstance(token, str) and (SPECIAL.fullmatch(token) or token.lower() in SPELLED):
        return None
    raise ValueError(f"{token!r:.40} is no single character")


def drop_id_0(symbols: Symbols, K: int) -> Symbols:
    """The symbols of a network that has K of them: if ids were counted from 1, it may have none with id 0."""
    if not symbols.from_one or len(symbols.points) != K + 1:
        return symbols
    return Symbols(symbols.points[1:], symbols.is_bytes, symbols.stand_ins[1:])


def reorder_parameters(symbols: Symbols, parameters: Mapping[str, Array]) -> tuple[Vocabulary, dict[str, Array]]:
    """The vocabulary, and the parameters of its ids. Raises ModelError where they do not fit together."""
    points, K = symbols.points, len(parameters["c"])
    if len(points) != K:
        raise ModelError(
            f"the vocabulary has {len(points):,} characters, the network {K:,}.",
            hint="give the vocabulary that it was trained with, or the whole text.",
        )
    order = np.argsort(points, kind="stable")
    vocabulary = Vocabulary.from_code_points(points[order], is_bytes=symbols.is_bytes)
    moved = {"layers.0.U": parameters["layers.0.U"][:, order], "V": parameters["V"][order], "c": parameters["c"][order]}
    return vocabulary, {name: np.ascontiguousarray(moved.get(name, array)) for name, array in parameters.items()}


def to_json(vocabulary: Vocabulary) -> dict[str, int]:
    """Character → id, as vocab.json has it; a byte is the character of its number."""
    return {symbol: number for number, symbol in enumerate(vocabulary.symbols)}

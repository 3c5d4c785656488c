"""The characters of the ids in a JSON file: a string, a list, or an object.

"ab"   ["a", "b"]   [97, 98]          the characters, or their code points, in the order of their ids
{"a": 0, "b": 1}   {"0": "a"}         character → id, or id → character; ids may start at 1
{"stoi": …, "itos": …, "epoch": 3}    one of these under a usual name, anywhere inside an object
tokenizer.json                        the file of Hugging Face's tokenizers, and of Keras's Tokenizer
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from recurra.errors import ModelError
from recurra.interop.symbols import Symbols, Token, of_tokens
from recurra.io.bounded_io import parse_json

EXPECTED_VOCABULARY = (
    "it must be a string of all characters in the order of their ids, a list of characters or of code points, "
    'or an object such as {"a": 0}, {"0": "a"} or {"stoi": {"a": 0}}.'
)
NAMES = (
    "stoi itos ctoi itoc chars characters char_list all_characters all_chars alphabet charset symbols tokens vocab",
    "vocabulary char_to_ix ix_to_char char2ix ix2char char_to_idx idx_to_char char2idx idx2char char_to_index",
    "index_to_char char2index index2char char_to_int int_to_char char2int int2char char_to_id id_to_char char2id",
    "id2char char_indices indices_char token_to_idx idx_to_token token2idx idx2token token_to_id id_to_token",
    "token2id id2token word_index index_word word2idx idx2word",
)
KEYS = frozenset(name for line in NAMES for name in line.split())  # usual names of vocabularies in other programs
MAX_DEPTH = 6  # nested objects above a vocabulary
SPACE_MARK = "▁"  # represents a space in a Hugging Face tokenizer with a Metaspace step


def from_json(data: bytes, name: str, *, is_bytes: bool = False) -> Symbols:
    """Return the symbols in the JSON text `data` of the file `name`.

    Raises: ModelError if the text has no vocabulary.
    """
    try:
        symbols = symbols_in(parse_json(_utf8(data)))
    except ValueError as error:
        raise ModelError(f"`{name}` is not a vocabulary: {error}.", hint=EXPECTED_VOCABULARY) from error
    return symbols._replace(is_bytes=True) if is_bytes else symbols


def symbols_in(value: Any, depth: int = 0) -> Symbols:
    """Return the symbols in a JSON value.

    Raises: ValueError if the value has no vocabulary, or several different ones.
    """
    if depth > MAX_DEPTH:
        raise ValueError("its vocabulary is nested too deeply")
    if isinstance(value, str):
        return of_tokens(list(value))
    if isinstance(value, list):
        return of_tokens(value)
    if not isinstance(value, dict):
        raise ValueError(f"it is a {type(value).__name__}")
    if isinstance(value.get("model"), dict) and "vocab" in value["model"]:
        return _of_tokenizer(value)
    return _of_table(value) if _is_table(value) else _of_nested(value, depth)


def _utf8(data: bytes) -> bytes:
    """Convert JSON to UTF-8 without a byte order mark; Windows PowerShell writes UTF-16."""
    encoding = json.detect_encoding(data)
    return data if encoding == "utf-8" else data.decode(encoding).encode()


def _is_table(table: dict[str, Any]) -> bool:
    """Return True if `table` maps characters to ids or ids to characters."""
    values = list(table.values())
    if not values or all(_is_id(item) for item in values):
        return True
    return all(isinstance(item, str) for item in values) and (_are_numbers(list(table)) or _are_numbers(values))


def _of_table(table: dict[str, Any]) -> Symbols:
    by_id = _by_id(table)
    start = 1 if by_id and min(by_id) == 1 else 0
    if sorted(by_id) != list(range(start, start + len(table))):
        raise ValueError(f"the ids of {len(table):,} characters are not 0 to {len(table) - 1:,}")
    named = [by_id[number] for number in range(start, start + len(table))]
    return of_tokens(["<0>", *named] if start else named, from_one=bool(start))


def _by_id(table: dict[str, Any]) -> dict[int, Token]:
    """Return id → character, for a table in either direction."""
    values = list(table.values())
    if all(_is_id(item) for item in values):
        by_id: dict[int, Token] = {number: token for token, number in table.items()}
        dense = len(by_id) == len(table) and max(by_id, default=0) <= len(table)
        return by_id if dense or not _are_numbers(list(table)) else {int(key): table[key] for key in table}
    if _are_numbers(list(table)):
        return {int(number): token for number, token in table.items()}
    return {int(number): token for token, number in table.items()}


def _is_id(item: Any) -> bool:
    return isinstance(item, int) and not isinstance(item, bool)


def _are_numbers(words: list[str]) -> bool:
    return all(word.isascii() and word.isdecimal() and len(word) < 10 for word in words)


def _of_nested(value: dict[str, Any], depth: int) -> Symbols:
    """Return the vocabulary inside an object. Raises ValueError if it has no vocabulary, or several different ones."""
    first: tuple[str, Symbols] | None = None
    error: ValueError | None = None
    for key, item, inner in _named(value, depth):
        try:
            symbols = symbols_in(_unpacked(item), inner)
        except ValueError as wrong:
            error = error or wrong
            continue
        if first is not None and not np.array_equal(first[1].points, symbols.points):
            raise ValueError(f"`{first[0]:.40}` and `{key:.40}` are different vocabularies")
        first = first or (key, symbols)
    if first is None:
        raise error or ValueError("it has neither ids nor one of the usual names of a vocabulary")
    return first[1]


def _named(value: Any, depth: int) -> Iterator[tuple[str, Any, int]]:
    """Yield the name, value and depth of each entry with a usual name, in an object and in its nested objects."""
    if depth > MAX_DEPTH or not isinstance(value, dict):
        return
    for key, item in value.items():
        if key.lower() not in KEYS:
            yield from _named(item, depth + 1)
        elif isinstance(item, (dict, list)) or (isinstance(item, str) and _may_be_characters(item)):
            yield key, item, depth + 1


def _may_be_characters(text: str) -> bool:
    """Return True if `text` is JSON or has no repeated character; most file names have one."""
    return text.startswith('{"') or len(set(text)) == len(text) > 1


def _unpacked(item: Any) -> Any:
    """Parse JSON inside a JSON string, the form of the tables of Keras's Tokenizer; return other values unchanged."""
    return parse_json(item.encode()) if isinstance(item, str) and item.startswith('{"') else item


def _of_tokenizer(value: dict[str, Any]) -> Symbols:
    """Return the symbols of a tokenizer.json of Hugging Face.

    Raises: ValueError if a token is neither a single character nor a known symbol.
    """
    vocabulary = value["model"]["vocab"]
    if isinstance(vocabulary, list):  # a Unigram model: pairs of a token and its score
        vocabulary = {pair[0]: number for number, pair in enumerate(vocabulary) if _is_pair(pair)}
    if not isinstance(vocabulary, dict):
        raise ValueError("its vocabulary does not map tokens to ids")
    added, vocabulary = value.get("added_tokens"), dict(vocabulary)
    for token in added if isinstance(added, list) else []:
        if isinstance(token, dict) and isinstance(token.get("content"), str) and _is_id(token.get("id")):
            vocabulary[token["content"]] = token["id"]
    if not all(_is_id(number) for number in vocabulary.values()):
        raise ValueError("its vocabulary does not map tokens to ids")
    steps = {kind for key in ("pre_tokenizer", "decoder") for kind in _types(value.get(key))}
    if "Metaspace" in steps and " " not in vocabulary:
        vocabulary = {" " if token == SPACE_MARK else token: number for token, number in vocabulary.items()}
    symbols = _of_table(vocabulary)
    return _of_bytes(symbols) if "ByteLevel" in steps else symbols


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)


def _types(step: Any) -> Iterator[str]:
    """Yield the type of a tokenizer's step, and the types of the steps inside a sequence."""
    if isinstance(step, dict):
        yield str(step.get("type"))
        for key in ("pretokenizers", "decoders"):
            inner = step.get(key)
            for part in inner if isinstance(inner, list) else []:
                if isinstance(part, dict):
                    yield str(part.get("type"))


def _of_bytes(symbols: Symbols) -> Symbols:
    """Convert the symbols of a byte-level tokenizer, which represents every byte as a visible character, to bytes."""
    table = _visible_bytes()
    points = np.array([table.get(int(point), -1) for point in symbols.points], np.int64)
    specials = np.isin(symbols.points, [point for _, point in symbols.stand_ins])
    if not specials.any() and sorted(points) == list(range(256)):
        return Symbols(points, is_bytes=True)
    if ((points[~specials] < 0) | (points[~specials] > 127)).any():
        raise ValueError("its symbols are bytes, but not exactly the 256 bytes")
    return symbols._replace(points=np.where(specials, symbols.points, points))


def _visible_bytes() -> dict[int, int]:
    """Return code point → byte: a printable Latin-1 character is its own byte; U+0100 and later are the other bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {point: point for point in printable} | {256 + number: byte for number, byte in enumerate(others)}

"""Characters of the ids in a JSON file: a string, a list, or an object in either direction.

"ab"   ["a", "b"]   [97, 98]          the characters, or their code points, in the order of their ids
{"a": 0, "b": 1}   {"0": "a"}         a table, either way; ids may be counted from 1
{"stoi": …, "itos": …, "epoch": 3}    one of these under a usual name, anywhere inside an object
tokenizer.json                        of Hugging Face's tokenizers, and of Keras's Tokenizer
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
VOCABULARY_FILES = (
    "stoi itos ctoi itoc chars characters char_list all_characters all_chars alphabet charset symbols tokens vocab "
    "vocabulary char_to_ix ix_to_char char2ix ix2char char_to_idx idx_to_char char2idx idx2char char_to_index "
    "index_to_char char2index index2char char_to_int int_to_char char2int int2char char_to_id id_to_char char2id "
    "id2char char_indices indices_char token_to_idx idx_to_token token2idx idx2token token_to_id id_to_token "
    "token2id id2token word_index index_word word2idx idx2word"
)
KEYS = frozenset(VOCABULARY_FILES.split())
MAX_DEPTH = 6  # of objects in objects, down to a vocabulary
SPACE_MARK = "▁"  # what stands for a space where a tokenizer of Hugging Face has a Metaspace


def from_json(data: bytes, name: str, *, is_bytes: bool = False) -> Symbols:
    """The symbols that the JSON text `data` of the file `name` holds. Raises ModelError if it holds none."""
    try:
        found = symbols_in(parse_json(_utf8(data)))
    except ValueError as error:
        raise ModelError(f"`{name}` is no vocabulary: {error}.", hint=EXPECTED_VOCABULARY) from error
    return found._replace(is_bytes=True) if is_bytes else found


def symbols_in(value: Any, depth: int = 0) -> Symbols:
    """The symbols in a value of JSON. Raises ValueError if it has no vocabulary, or several that differ."""
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
    """JSON in UTF-8 without a byte order mark; a shell of Windows writes UTF-16."""
    encoding = json.detect_encoding(data)
    return data if encoding == "utf-8" else data.decode(encoding).encode()


def _is_table(table: dict[str, Any]) -> bool:
    """Return True if `table` is characters by id or ids by character."""
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
    """Id → character."""
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
    """The vocabulary inside an object: all that are there must be the same."""
    found: tuple[str, Symbols] | None = None
    error: ValueError | None = None
    for key, item, inner in _named(value, depth):
        try:
            symbols = symbols_in(_unpacked(item), inner)
        except ValueError as wrong:
            error = error or wrong
            continue
        if found is not None and not np.array_equal(found[1].points, symbols.points):
            raise ValueError(f"`{found[0]:.40}` and `{key:.40}` are different vocabularies")
        found = found or (key, symbols)
    if found is None:
        raise error or ValueError("it has neither ids nor one of the usual names of a vocabulary")
    return found[1]


def _named(value: Any, depth: int) -> Iterator[tuple[str, Any, int]]:
    """The name, value and depth of what has one of the usual names, in an object and in the objects inside."""
    if depth > MAX_DEPTH or not isinstance(value, dict):
        return
    for key, item in value.items():
        if key.lower() not in KEYS:
            yield from _named(item, depth + 1)
        elif isinstance(item, (dict, list)) or (isinstance(item, str) and _may_be_characters(item)):
            yield key, item, depth + 1


def _may_be_characters(text: str) -> bool:
    """Return True of JSON, and of a text that has no character twice, as most names of files have one."""
    return text.startswith('{"') or len(set(text)) == len(text) > 1


def _unpacked(item: Any) -> Any:
    """JSON inside a string of JSON, as Keras's Tokenizer writes its tables."""
    return parse_json(item.encode()) if isinstance(item, str) and item.startswith('{"') else item


def _of_tokenizer(value: dict[str, Any]) -> Symbols:
    """The symbols of a tokenizer.json of Hugging Face, if every token is a character."""
    vocabulary = value["model"]["vocab"]
    if isinstance(vocabulary, list):  # of a Unigram model: pairs of a token and its score
        vocabulary = {pair[0]: number for number, pair in enumerate(vocabulary) if _is_pair(pair)}
    if not isinstance(vocabulary, dict):
        raise ValueError("its vocabulary is no table")
    added, vocabulary = value.get("added_tokens"), dict(vocabulary)
    for token in added if isinstance(added, list) else []:
        if isinstance(token, dict) and isinstance(token.get("content"), str) and _is_id(token.get("id")):
            vocabulary[token["content"]] = token["id"]
    if not all(_is_id(number) for number in vocabulary.values()):
        raise ValueError("its vocabulary is no table")
    steps = {kind for key in ("pre_tokenizer", "decoder") for kind in _types(value.get(key))}
    if "Metaspace" in steps and " " not in vocabulary:
        vocabulary = {" " if token == SPACE_MARK else token: number for token, number in vocabulary.items()}
    found = _of_table(vocabulary)
    return _of_bytes(found) if "ByteLevel" in steps else found


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)


def _types(step: Any) -> Iterator[str]:
    """The types of a step of a tokenizer, and of the steps inside a sequence."""
    if isinstance(step, dict):
        yield str(step.get("type"))
        for key in ("pretokenizers", "decoders"):
            inner = step.get(key)
            for one in inner if isinstance(inner, list) else []:
                if isinstance(one, dict):
                    yield str(one.get("type"))


def _of_bytes(found: Symbols) -> Symbols:
    """The symbols of a byte-level tokenizer, which writes every byte as a visible character."""
    table = _visible_bytes()
    points = np.array([table.get(int(point), -1) for point in found.points], np.int64)
    specials = np.isin(found.points, [point for _, point in found.stand_ins])
    if not specials.any() and sorted(points) == list(range(256)):
        return Symbols(points, is_bytes=True)
    if ((points[~specials] < 0) | (points[~specials] > 127)).any():
        raise ValueError("its symbols are bytes, but not all 256 of them and no others")
    return found._replace(points=np.where(specials, found.points, points))


def _visible_bytes() -> dict[int, int]:
    """Code point → byte: printable characters of Latin-1 stand for themselves, U+0100 and on for the others."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {point: point for point in shown} | {256 + number: byte for number, byte in enumerate(hidden)}

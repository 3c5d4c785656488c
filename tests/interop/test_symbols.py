"""The characters of another program's ids, in every supported form."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from networks import small
from recurra.errors import ModelError
from recurra.interop import vocabulary_json
from recurra.interop.symbols import Symbols, reorder_parameters, symbols_of, to_json
from recurra.interop.vocabulary_json import from_json
from recurra.text.vocabulary import Vocabulary

ORDER = "b\n😀a"
WAYS: list[Any] = [
    ORDER,
    list(ORDER),
    [ord(character) for character in ORDER],
    {character: i for i, character in enumerate(ORDER)},
    {character: i for i, character in reversed(list(enumerate(ORDER)))},
    {str(i): character for i, character in enumerate(ORDER)},
]


@pytest.mark.parametrize("value", WAYS, ids=str)
def test_every_form_of_a_vocabulary_gives_the_same_symbols(value: Any) -> None:
    result = from_json(json.dumps(value).encode(), "ids.json")
    assert result.points.tolist() == [ord(character) for character in ORDER]
    assert not result.is_bytes


def test_digits_are_characters() -> None:
    assert from_json(b'{"1": 0, "0": 1}', "ids.json").points.tolist() == [ord("1"), ord("0")]


NONE = "it has neither ids nor one of the usual names of a vocabulary"
WRONG: list[tuple[bytes, str]] = [
    (b"{", "`ids.json` is not a vocabulary: Expecting property name"),
    (b"3", "it is a int"),
    (b"null", "it is a NoneType"),
    (b'["a", "the"]', "'the' is not a single character"),
    (b'["a", null]', "None is not a single character"),
    (b"[1.5]", "1.5 is not a single character"),
    (b"[true]", "True is not a single character"),
    (b"[-1]", "-1 is not a single character"),
    (b"[1114112]", "1114112 is not a single character"),
    (b'{"a": 2, "b": 3}', "the ids of 2 characters are not 0 to 1"),
    (b'{"a": 0, "b": 0}', "the ids of 2 characters are not 0 to 1"),
    (b'{"a": true, "b": 0}', NONE),
    (b'{"a": "b"}', NONE),
    (b'{"a": 0, "a": 1}', "an object has a duplicate name"),
    (b'{"a": [0]}', NONE),
    (b'{"0": [0]}', NONE),
    (b"[" * 100_000, "it is nested too deeply"),
    (b"[" + b"1," * 400_000 + b"1]", "it has more than 300,000 values"),
]


@pytest.mark.parametrize(("data", "words"), WRONG, ids=[words for _, words in WRONG])
def test_invalid_vocabulary_file_is_an_error(data: bytes, words: str) -> None:
    with pytest.raises(ModelError, match=re.escape(words)) as error:
        from_json(data, "ids.json")
    assert error.value.hint == vocabulary_json.EXPECTED_VOCABULARY


@given(st.permutations(range(8)))
def test_rows_and_columns_move_with_their_characters(order: list[int]) -> None:
    model = small()
    points = symbols_of(model.vocabulary).points[order]
    moved = dict(model.parameters) | {name: model.parameters[name][order] for name in ("V", "c")}
    moved |= {"layers.0.U": model.parameters["layers.0.U"][:, order]}
    vocabulary, parameters = reorder_parameters(Symbols(points), moved)
    assert vocabulary == model.vocabulary
    for name, array in parameters.items():
        np.testing.assert_array_equal(array, model.parameters[name])
        assert array.flags.c_contiguous


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (range(7), "the vocabulary has 7 characters, the network 8."),
        ([1, 1, 2, 3, 4, 5, 6, 7], "must have each character once, in ascending order"),
        ([0xD800, 1, 2, 3, 4, 5, 6, 7], "has a surrogate, which is no character"),
    ],
)
def test_vocabulary_of_another_size_is_an_error(points: list[int], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        reorder_parameters(Symbols(np.array(points)), small().parameters)


def test_vocab_json_is_read_again() -> None:
    for vocabulary in (small().vocabulary, Vocabulary.bytes()):
        data = json.dumps(to_json(vocabulary)).encode()
        result = from_json(data, "vocab.json", is_bytes=vocabulary.is_bytes)
        assert result.points.tolist() == vocabulary.code_points.tolist()
        assert result.is_bytes == vocabulary.is_bytes

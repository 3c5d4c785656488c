"""Vocabularies: encoding and decoding in every script, byte vocabularies, and damaged files."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import ModelError, TextError, UsageError
from recurra.text.vocabulary import Vocabulary, name_characters

characters = st.characters(exclude_categories=["Cs"])


@given(st.text(characters, min_size=1))
def test_decode_inverts_encode(text: str) -> None:
    vocabulary = Vocabulary.of(text)
    assert vocabulary.decode(vocabulary.encode(text)) == text


@given(st.text(characters, min_size=1))
def test_ids_are_positions_in_sorted_characters(text: str) -> None:
    vocabulary = Vocabulary.of(text)
    assert vocabulary.symbols == "".join(sorted(set(text)))
    assert len(vocabulary) == len(set(text))
    assert [vocabulary.symbols[i] for i in vocabulary.encode(text)] == list(text)


@given(st.text(characters, min_size=1))
def test_code_points_restore_the_vocabulary(text: str) -> None:
    vocabulary = Vocabulary.of(text)
    restored = Vocabulary.from_code_points(vocabulary.code_points)
    assert restored == vocabulary
    assert hash(restored) == hash(vocabulary)
    assert restored.code_points.dtype == np.uint32


@given(st.text(characters, min_size=1), st.text(characters))
def test_encode_known_separates_unknown_characters(text: str, other: str) -> None:
    vocabulary = Vocabulary.of(text)
    ids, unknown = vocabulary.encode_known(other)
    assert vocabulary.decode(ids) == "".join(c for c in other if c in text)
    assert unknown == "".join(dict.fromkeys(c for c in other if c not in text))


@pytest.mark.parametrize(
    "text",
    [
        "שָׁלוֹם עליכם",  # right to left, with points
        "e\u0301\u0301é",  # combining marks are characters of their own
        "👩‍👩‍👧 𝄞 \U0010ffff",  # beyond 16 bits, and joiners
        "a\0b\ufeff\ufffe\u2028",  # NUL, marks, separators
        "\ud7ff\ue000",  # the neighbors of the surrogates
    ],
)
def test_odd_texts_round_trip(text: str) -> None:
    vocabulary = Vocabulary.of(text)
    assert vocabulary.decode(vocabulary.encode(text)) == text


@pytest.mark.parametrize(
    ("K", "dtype"),
    [(1, "uint8"), (2, "uint8"), (256, "uint8"), (257, "uint16"), (65536, "uint16"), (65537, "uint32")],
)
def test_ids_have_the_smallest_type(K: int, dtype: str) -> None:
    symbols = "".join(map(chr, range(0xE000, 0xE000 + K)))
    vocabulary = Vocabulary.of(symbols)
    ids = vocabulary.encode(symbols)
    assert vocabulary.dtype == ids.dtype == np.dtype(dtype)
    assert np.array_equal(ids, np.arange(K))


def test_hundred_thousand_characters_round_trip() -> None:
    text = "".join(map(chr, range(0x10000, 0x10000 + 100_000)))[::-1]
    vocabulary = Vocabulary.of(text)
    assert len(vocabulary) == 100_000
    assert vocabulary.decode(vocabulary.encode(text)) == text


def test_empty_strings_encode_and_decode() -> None:
    vocabulary = Vocabulary.of("ab")
    assert vocabulary.encode("").shape == (0,)
    assert vocabulary.encode("").dtype == np.uint8
    assert vocabulary.decode([]) == ""
    assert vocabulary.encode_known("")[1] == ""
    with pytest.raises(TextError, match="an empty text has no characters to learn"):
        Vocabulary.of("")


def test_decoding_takes_any_shape_and_integer_type() -> None:
    vocabulary = Vocabulary.of("abc")
    assert vocabulary.decode([2, 1, 0]) == "cba"
    assert vocabulary.decode(np.array([[0, 1], [2, 0]], dtype=np.int64)) == "abca"
    assert vocabulary.decode(np.uint8(1)) == "b"


@pytest.mark.parametrize("ids", [[3], [-1], [0.5], ["a"], [2**40]])
def test_invalid_ids_raise(ids: list[object]) -> None:
    with pytest.raises(UsageError, match="ids must be whole numbers from 0 to 2"):
        Vocabulary.of("abc").decode(ids)  # type: ignore[arg-type]


def test_encode_error_names_unknown_characters() -> None:
    with pytest.raises(
        TextError, match=r"model's vocabulary lacks: 'é' \(U\+00E9\), '\\n' \(U\+000A\)\.\nhint: remove these"
    ) as e:
        Vocabulary.of("abc").encode("aé\nbé")
    assert e.value.exit_code == 3
    with pytest.raises(TextError, match=r"'1' \(U\+0031\).*'5' \(U\+0035\) and 4 more\."):
        Vocabulary.of("abc").encode("a123456789")
    with pytest.raises(TextError, match=r"'𝄞' \(U\+1D11E\), '\\ud800' \(U\+D800\)\."):
        Vocabulary.of("abc").encode("𝄞\ud800")
    assert name_characters("é") == "'é' (U+00E9)"


def test_surrogates_raise() -> None:
    with pytest.raises(TextError, match=r"lone surrogate, U\+D800: it is no character"):
        Vocabulary.of("a\ud800")
    with pytest.raises(TextError, match=r"lone surrogate, U\+D800: it is no character"):
        Vocabulary.bytes().spell("a\ud800")


@given(st.binary())
def test_every_byte_round_trips(data: bytes) -> None:
    vocabulary = Vocabulary.bytes()
    ids = vocabulary.encode(data.decode("latin-1"))
    assert ids.tobytes() == data
    assert vocabulary.decode(ids).encode("latin-1") == data


def test_byte_vocabulary_differs_from_equal_characters() -> None:
    latin = Vocabulary.of("".join(map(chr, range(256))))
    assert Vocabulary.bytes().is_bytes
    assert not latin.is_bytes
    assert latin != Vocabulary.bytes()
    assert latin != "".join(map(chr, range(256)))
    assert np.array_equal(latin.code_points, Vocabulary.bytes().code_points)
    assert Vocabulary.from_code_points(range(256), is_bytes=True) == Vocabulary.bytes()
    assert (repr(latin), repr(Vocabulary.bytes())) == ("<Vocabulary of 256 characters>", "Vocabulary.bytes()")


@given(st.text(characters))
def test_unspell_inverts_spell(text: str) -> None:
    vocabulary = Vocabulary.bytes()
    assert vocabulary.encode(vocabulary.spell(text)).tobytes() == text.encode()
    assert vocabulary.unspell(vocabulary.spell(text)) == text
    assert Vocabulary.of("a").unspell(Vocabulary.of("a").spell(text)) == text


def test_spell_restores_bytes_that_are_not_utf_8() -> None:
    assert Vocabulary.bytes().spell("a\udcff") == "a\xff"
    assert Vocabulary.bytes().unspell("a\xff") == "a\ufffd"


def test_code_points_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        Vocabulary.of("abc").code_points[0] = 1


@pytest.mark.parametrize(
    ("code_points", "message"),
    [
        ([], "must be a list of code points; got an array of shape \\(0,\\)"),
        ([[97]], "must be a list of code points; got an array of shape \\(1, 1\\)"),
        ([97.0], "and type float64"),
        ([97, 0x110000], "not a code point of Unicode"),
        ([-1, 97], "not a code point of Unicode"),
        (np.array([97, 2**64 - 1], dtype=np.uint64), "not a code point of Unicode"),
        ([97, 0xD800], "has a surrogate"),
        ([97, 0xDFFF], "has a surrogate"),
        ([98, 97], "must have each character once, in ascending order"),
        ([97, 97], "must have each character once, in ascending order"),
    ],
)
def test_damaged_vocabularies_raise(code_points: list[int], message: str) -> None:
    with pytest.raises(ModelError, match=f"the model's vocabulary .*{message}"):
        Vocabulary.from_code_points(code_points)


def test_damaged_byte_vocabulary_raises() -> None:
    with pytest.raises(ModelError, match="must be the code points 0 to 255"):
        Vocabulary.from_code_points(range(255), is_bytes=True)


def test_extended_vocabulary_is_union() -> None:
    both = Vocabulary.of("bd").extended(Vocabulary.of("dca"))
    assert both == Vocabulary.of("abcd")
    assert both.code_points.dtype == np.uint32
    assert Vocabulary.bytes().extended(Vocabulary.bytes()) == Vocabulary.bytes()

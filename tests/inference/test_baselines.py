"""The baselines on texts whose results can be computed by hand."""

from __future__ import annotations

import lzma
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import TextError
from recurra.inference import baselines
from recurra.inference.baselines import ngram_bits, uniform, unigram
from recurra.inference.ngram import NGram
from recurra.text.vocabulary import Vocabulary


def gzip_bits(text: str) -> float:
    return baselines.baselines(text)["gzip"]


def bzip2_bits(text: str) -> float:
    return baselines.baselines(text)["bzip2"]


def xz_bits(text: str) -> float:
    return baselines.baselines(text)["xz"]


def test_uniform_is_the_logarithm_of_the_number_of_symbols() -> None:
    assert uniform("abcdabcd") == 2.0
    assert uniform("aaaa") == 0.0


def test_unigram_is_the_entropy_of_the_counts() -> None:
    # a, b, c in the shares 1/2, 1/4, 1/4: 1/2 · 1 + 1/4 · 2 + 1/4 · 2 = 1.5 bits.
    assert unigram("aabc") == pytest.approx(1.5, abs=1e-15)
    assert unigram("aaaa") == 0.0


def test_gzip_of_one_character() -> None:
    # 10 bytes of header, 3 of a fixed-code block (header 3 bits, "a" 8, end 7), 8 of trailer.
    assert gzip_bits("a") == 8 * 21


def test_bzip2_of_one_character() -> None:
    assert bzip2_bits("a") == 8 * 37  # the size of the smallest .bz2 file of one byte


def test_xz_of_one_character() -> None:
    # Stream header 12, block header 12, the LZMA2 chunk with its end mark 5 padded to 8,
    # CRC64 8, index 8, footer 12.
    assert xz_bits("a") == 8 * 60


def test_compressor_bits_are_per_character_not_byte() -> None:
    # "é" is two bytes: 1,000 of them are 2,000 bytes but 1,000 characters.
    assert gzip_bits("é" * 1000) < 8 * 60 / 1000
    assert uniform("éa") == 1.0


def test_xz_short_window_gives_the_size_of_preset_9() -> None:
    text = "In the beginning God created the heaven and the earth. " * 40
    preset = lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME, check=lzma.CHECK_CRC64)
    assert xz_bits(text) == pytest.approx(8 * len(preset) / len(text), abs=8 * 4 / len(text))


def test_baselines_by_name() -> None:
    bits = baselines.baselines("abracadabra")
    assert list(bits) == ["uniform", "unigram", "gzip", "bzip2", "xz"]
    assert bits["uniform"] == math.log2(5)


def test_bytes_text_is_compressed_as_bytes() -> None:
    symbols = "é".encode().decode("latin-1") * 100
    assert baselines.baselines(symbols, is_bytes=True)["gzip"] == gzip_bits("é" * 100) / 2


def test_ngram_bits_include_escapes_of_unknown_characters() -> None:
    vocabulary = Vocabulary.of("abc")
    training = vocabulary.encode("abcab" * 9)
    bits = ngram_bits(training, vocabulary, "abéa")
    assert list(bits) == ["1", "2", "3", "4", "5", "6"]
    nats = NGram(training, 3).nats(vocabulary.encode("aba")).sum(axis=1)
    assert list(bits.values()) == pytest.approx([(cost / math.log(2) + 40) / 4 for cost in nats.tolist()])


def test_gzip_accepts_a_lone_surrogate() -> None:
    assert gzip_bits("\udc80") > 0


@pytest.mark.parametrize("function", [uniform, unigram, gzip_bits, bzip2_bits, xz_bits])
def test_empty_text_raises(function: object) -> None:
    assert callable(function)
    with pytest.raises(TextError, match="an empty text has no bits per character"):
        function("")


@given(st.text(min_size=1, max_size=200))
def test_unigram_is_at_most_uniform(text: str) -> None:
    assert -1e-12 <= unigram(text) <= uniform(text) + 1e-12

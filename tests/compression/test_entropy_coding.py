"""Escapes in the coded number, and a number that nobody has coded."""

from __future__ import annotations

import numpy as np
import pytest

from recurra.compression.entropy_coding import ESCAPE, NO_UTF8, Reader, encode_intervals
from recurra.errors import CompressedFileError

WIDTH = 2**16  # of a byte


@pytest.mark.parametrize(
    "character", ["\0", "\x7f", "\x80", "\u07ff", "\u0800", "\uffff", "\U00010000", "\U0010ffff", b"\x80", b"\xff"]
)
def test_an_escape_is_as_long_as_its_character(character: str | bytes) -> None:
    data = character.encode() if isinstance(character, str) else character
    after = data if isinstance(character, str) else bytes([NO_UTF8]) + data
    before = [ESCAPE, *(byte * WIDTH for byte in after)]
    reader = Reader(encode_intervals(np.array(before * 2), np.array([1, *[WIDTH] * len(after)] * 2)))
    for _ in range(2):
        reader.skip_escape()
        assert reader.escaped() == data


def test_nothing_is_coded_in_one_word() -> None:
    assert encode_intervals(np.zeros(0, np.int64), np.zeros(0, np.int64)).tolist() == [0]


def test_a_number_that_no_symbol_has_is_told() -> None:
    with pytest.raises(CompressedFileError, match="it holds a number that no symbol has"):
        Reader(np.full(2, 2**32 - 1, np.uint32)).byte()

"""Escapes in the coded number, and a number that no encoder writes."""

from __future__ import annotations

import numpy as np
import pytest

from recurra.compression.entropy_coding import ESCAPE, NO_UTF8, Reader, encode_intervals
from recurra.errors import CompressedFileError

WIDTH = 2**16  # frequency of a byte


@pytest.mark.parametrize(
    "character", ["\0", "\x7f", "\x80", "\u07ff", "\u0800", "\uffff", "\U00010000", "\U0010ffff", b"\x80", b"\xff"]
)
def test_escape_round_trip(character: str | bytes) -> None:
    data = character.encode() if isinstance(character, str) else character
    after = data if isinstance(character, str) else bytes([NO_UTF8]) + data
    before = [ESCAPE, *(byte * WIDTH for byte in after)]
    reader = Reader(encode_intervals(np.array(before * 2), np.array([1, *[WIDTH] * len(after)] * 2)))
    for _ in range(2):
        reader.skip_escape()
        assert reader.escaped() == data


def test_empty_sequence_takes_one_word() -> None:
    assert encode_intervals(np.zeros(0, np.int64), np.zeros(0, np.int64)).tolist() == [0]


def test_number_of_no_symbol_raises() -> None:
    with pytest.raises(CompressedFileError, match="it contains a number that belongs to no symbol"):
        Reader(np.full(2, 2**32 - 1, np.uint32)).byte()

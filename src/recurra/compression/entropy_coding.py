"""The range coder: intervals of [0, 2^24) become words and are read back. An escape codes unknown characters.

The frequencies of the symbols add up to `ESCAPE` = 2^24 - 1; the escape has the frequency 1. Each byte after an escape
has the frequency 2^16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from recurra.compression.kernels import range_coder
from recurra.compression.kernels.range_coder import PRECISION, TOTAL
from recurra.engines.kernels.lanes import Vector
from recurra.errors import CompressedFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.uint32]
    Integers = NDArray[np.int64]

ESCAPE = TOTAL - 1  # beginning of the escape, whose frequency is 1
BYTE = PRECISION - 8  # log2 of the frequency of each of 256 bytes
NO_UTF8 = 0xFF  # before a byte of invalid UTF-8; no character begins with 0xFF


def encode_intervals(before: Integers, widths: Integers) -> Words:
    """Return the words of a sequence of intervals, with the beginnings `before` and the `widths` (n,)."""
    words, state = np.zeros(len(before) + 1, np.uint32), np.zeros(3, np.uint64)
    range_coder.start_encoding(state)
    range_coder.encode_all(words, state, before, widths)
    range_coder.finish(words, state)
    return words[: int(state[2])]


class Coded(NamedTuple):
    """The words (n,) uint32 of a coder, its state (3,) uint64, and the sum of the frequencies."""

    words: Vector
    state: Vector
    total: int


class Reader:
    """A reader of coded words, symbol by symbol."""

    def __init__(self, words: Words) -> None:
        self._words, self.state = words, np.zeros(3, np.uint64)
        range_coder.start_decoding(self.state, words)

    @property
    def coded(self) -> Coded:
        """The words and the state of the coder, for a network that decodes."""
        return Coded(self._words, self.state, ESCAPE)

    def skip_escape(self) -> None:
        """Move past the escape at the current position."""
        self._advance(min(self._place(), ESCAPE), 1)

    def escaped(self) -> bytes:
        """Return the character after an escape as UTF-8, or the invalid byte."""
        first = self.byte()
        if first == NO_UTF8:
            return bytes([self.byte()])
        rest = 0 if first < 0x80 else 1 if first < 0xE0 else 2 if first < 0xF0 else 3
        return bytes([first, *(self.byte() for _ in range(rest))])

    def byte(self) -> int:
        """Return the next byte of an escape."""
        byte = self._place() >> BYTE
        self._advance(byte << BYTE, 1 << BYTE)
        return byte

    def _place(self) -> int:
        place = int(range_coder.point(self.state))
        if place >= TOTAL:
            raise CompressedFileError("the file is damaged: it contains a number that belongs to no symbol.")
        return place

    def _advance(self, before: int, width: int) -> None:
        range_coder.advance(self._words, self.state, before, width)

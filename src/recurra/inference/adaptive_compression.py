"""Compression without a model file: a network begins with nothing and learns from the bytes as they come.

The decoder sees the same bytes in the same order, does the same strict arithmetic, and so learns the same network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recurra.config import ModelConfig, TrainingConfig
from recurra.engines.kernels import range_coder
from recurra.engines.online import OnlineLearner
from recurra.errors import ModelError
from recurra.inference import container
from recurra.inference.coding import BYTE, ESCAPE, Reader, encoded

if TYPE_CHECKING:
    from typing import BinaryIO

    from recurra.inference.coding import Words

BYTES = 256
# They are part of the file's format: another network would decode nothing.
MODEL = ModelConfig(cell="lstm", hidden_size=200)
TRAINING = TrainingConfig(
    sequence_length=16, optimizer="adam", learning_rate=0.003, clip_value=None, clip_norm=20.0, initial_scale=None
)  # fmt: skip


class AdaptiveCodec:
    """Blocks to words and back by a network that begins with nothing and learns from the bytes as they come.

    What a block taught is used for the next: they must be read in order, and none may be missing.
    """

    kind = container.ADAPTIVE
    name = bytes(container.NAME)

    def __init__(self) -> None:
        self._learner = OnlineLearner(MODEL, TRAINING, BYTES)
        self._ids = np.full(BYTES, -1, np.int64)  # of a byte that has come
        self._bytes = np.zeros(BYTES, np.uint8)  # of an id

    def encode(self, block: bytes) -> Words:
        """The words (n,) of a block."""
        data = np.frombuffer(block, np.uint8)
        before, widths = [], []
        start = 0
        while start < len(data):
            ids = self._ids[data[start : start + self._learner.left]]
            known = int(np.argmax(ids < 0)) if np.any(ids < 0) else len(ids)
            if known == 0:
                byte = int(data[start])
                before.append(np.array([ESCAPE, byte << BYTE]))
                widths.append(np.array([1, 1 << BYTE]))
                self._admit(byte)
                start += 1
                continue
            symbols = self._learner.symbols
            rows = self._learner.feed(ids[:known])
            own = np.zeros((2, known), np.int64)
            range_coder.intervals(rows, ids[:known], ESCAPE, symbols, own[0], own[1], self._learner.exponentials)
            before.append(own[0])
            widths.append(own[1])
            start += known
        return encoded(np.concatenate(before), np.concatenate(widths))

    def decode(self, words: Words, length: int) -> bytes:
        """The block of `length` bytes that `words` are; CompressedFileError where they are none."""
        reader, block = Reader(words), bytearray()
        while len(block) < length:
            ids, escaped = self._learner.decode(words, reader.state, ESCAPE, length - len(block))
            block += self._bytes[ids].tobytes()
            if escaped:
                byte = reader.escaped_byte()
                block.append(byte)
                self._admit(byte)
        return bytes(block)

    def _admit(self, byte: int) -> None:
        if self._ids[byte] < 0 and not self._learner.is_full:
            self._ids[byte], self._bytes[self._learner.symbols] = self._learner.symbols, byte
            self._learner.admit()


def compress(source: BinaryIO, target: container.Target, told: container.Told = container.quiet) -> None:
    """Write `source`, read to its end, to `target`, so that `decompress` gives it back."""
    container.compress(source, target, AdaptiveCodec(), told)


def decompress(
    source: BinaryIO,
    target: container.Target,
    told: container.Told = container.quiet,
    damaged: container.Damaged | None = None,
) -> None:
    """Write what `compress` read. CompressedFileError where the file is damaged: all before the damage is written."""

    def codec_of(header: container.Header) -> AdaptiveCodec:
        if header.kind != AdaptiveCodec.kind:
            raise ModelError("the file was compressed with a model.", hint="give that model in place of `--adaptive`.")
        return AdaptiveCodec()

    container.decompress(source, target, codec_of, told, damaged)

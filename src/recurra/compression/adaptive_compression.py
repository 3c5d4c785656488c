"""Compress without a model file: a new network learns from the bytes while it codes them.

The decoder reads the same bytes in the same order with the same strict arithmetic, and so learns the same network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recurra.compression import container
from recurra.compression.entropy_coding import BYTE, ESCAPE, Reader, encode_intervals
from recurra.compression.online_learner import ContextConfig, OnlineLearner
from recurra.config import ModelConfig, TrainingConfig
from recurra.errors import ModelError
from recurra.network.cells import lstm

if TYPE_CHECKING:
    from typing import BinaryIO

    from recurra.compression.entropy_coding import Words

BYTE_VALUES = 256
# These settings are part of the file format: another network could not decode a file.
ADAPTIVE_MODEL = ModelConfig(cell=lstm.SPEC.name, hidden_size=200)
TRAINING = TrainingConfig(
    sequence_length=16, optimizer="adam", learning_rate=0.003, clip_value=None, clip_norm=20.0, initial_scale=None
)  # fmt: skip
CONTEXTS = ContextConfig(longest=6, rows=1 << 18, rate=0.7, least_rate=0.03)


class AdaptiveCodec:
    """The codec of a network that starts untrained and learns from the bytes.

    Each block continues the training, so that blocks must be read in order and completely.
    """

    kind = container.ADAPTIVE
    name = bytes(container.MODEL_NAME_BYTES)

    def __init__(self) -> None:
        self._learner = OnlineLearner(ADAPTIVE_MODEL, TRAINING, BYTE_VALUES, CONTEXTS)
        self._ids = np.full(BYTE_VALUES, -1, np.int64)  # id of each byte, or -1
        self._bytes = np.zeros(BYTE_VALUES, np.uint8)  # byte of each id

    def encode(self, block: bytes) -> Words:
        """Return the words (n,) of a block."""
        data = np.frombuffer(block, np.uint8)
        intervals, start = [np.zeros((2, 0), np.int64)], 0
        while start < len(data):
            ids = self._ids[data[start : start + self._learner.left]]
            known = int(np.argmax(ids < 0)) if np.any(ids < 0) else len(ids)
            if known:
                intervals.append(self._learner.encode(ids[:known], ESCAPE))
            else:
                byte = int(data[start])
                intervals.append(np.array([[ESCAPE, byte << BYTE], [1, 1 << BYTE]]))
                self._admit(byte)
            start += max(known, 1)
        return encode_intervals(*np.concatenate(intervals, axis=1))

    def decode(self, words: Words, length: int) -> bytes:
        """Return the block of `length` bytes. Raise CompressedFileError if `words` are damaged."""
        reader, block = Reader(words), bytearray()
        while len(block) < length:
            ids, escaped = self._learner.decode(words, reader.state, ESCAPE, length - len(block))
            block += self._bytes[ids].tobytes()
            if escaped:
                reader.skip_escape()
                byte = reader.byte()
                block.append(byte)
                self._admit(byte)
        return bytes(block)

    def _admit(self, byte: int) -> None:
        if self._ids[byte] < 0 and not self._learner.is_full:
            self._ids[byte], self._bytes[self._learner.symbols] = self._learner.symbols, byte
            self._learner.admit()


def compress(
    source: BinaryIO, target: container.Target, progress: container.ProgressCallback = container.ignore_progress
) -> None:
    """Compress a stream.

    Args:
        source: the input, read to its end.
        target: the output.
        progress: called after each block with the number of bytes read and the number of bytes written.
    """
    container.compress(source, target, AdaptiveCodec(), progress)


def decompress(
    source: BinaryIO,
    target: container.Target,
    progress: container.ProgressCallback = container.ignore_progress,
    damaged: container.DamageCallback | None = None,
) -> None:
    """Decompress a stream that `compress` wrote. If the file is damaged, everything before the damage is written.

    Args:
        source: the compressed stream.
        target: the output.
        progress: called after each block with the number of bytes read and the number of bytes written.
        damaged: called with the error of each damaged block; if None, the first error is raised.

    Raises:
        CompressedFileError: if the file is damaged, unless `damaged` handles the error.
        ModelError: if the file was compressed with a model.
    """

    def codec_of(header: container.Header) -> AdaptiveCodec:
        if header.kind != AdaptiveCodec.kind:
            raise ModelError("the file was compressed with a model.", hint="give that model in place of `--adaptive`.")
        return AdaptiveCodec()

    container.decompress(source, target, codec_of, progress, damaged)

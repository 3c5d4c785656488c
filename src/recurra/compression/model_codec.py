"""Compress with a trained model: the model predicts each character, and the coder spends -log2 p bits on it.

Each block of up to 1 MiB starts from a zero state and does not depend on other blocks. Text is read as characters;
invalid UTF-8 and unknown characters are escaped. docs/compression.md specifies the bits, `container` the file.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Protocol

import numpy as np

from recurra.compression import container
from recurra.compression.entropy_coding import BYTE, ESCAPE, NO_UTF8, Reader, encode_intervals
from recurra.compression.kernels import range_coder
from recurra.compression.model_decoder import ModelDecoder
from recurra.engines.kernels.lanes import WIDTH
from recurra.errors import ModelError
from recurra.inference.scoring import ESCAPE_BITS
from recurra.text.vocabulary import code_points

if TYPE_CHECKING:
    from typing import BinaryIO

    from numpy.typing import NDArray

    from recurra.config import ModelConfig
    from recurra.engines import Network
    from recurra.engines.stepper import Stepper
    from recurra.network.network import State
    from recurra.text.vocabulary import Vocabulary

    Words = NDArray[np.uint32]
    Integers = NDArray[np.int64]

CHUNK = 256  # characters read in one call; the number changes no bit


class Model(Protocol):
    """The parts of a `LanguageModel` that compression uses."""

    @property
    def config(self) -> ModelConfig:
        """The network's settings."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The network's vocabulary."""

    @property
    def sha256(self) -> str:
        """The digest of the parameters."""

    @property
    def reader(self) -> Network:
        """The network for reading ids in blocks."""

    @property
    def stepper(self) -> Stepper:
        """The network for reading one symbol at a time."""

    def zero_state(self) -> State:
        """Return the state before the first character."""


class Escapes:
    """The unknown characters of a text.

    counts: the number of occurrences of each character.
    crlf: the number of line ends CRLF.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.crlf = 0

    def add(self, text: str, unknown: NDArray[np.bool_]) -> None:
        """Count the unknown characters of a block; `unknown` (N,) is True for them."""
        points, counts = np.unique(code_points(text)[unknown], return_counts=True)
        occurrences = {chr(point): count for point, count in zip(points.tolist(), counts.tolist(), strict=True)}
        self.counts.update(occurrences)
        self.crlf += text.count("\r\n") if "\r" in occurrences else 0

    def bytes_of(self, character: str) -> int:
        """Return the number of bytes that the escapes of a character take in the compressed file."""
        bytes_each = ESCAPE_BITS // 8 + len(character.encode("utf-8", "surrogatepass"))
        return self.counts[character] * bytes_each


class ModelCodec:
    """The codec of a trained model. `escapes` counts the unknown characters of all blocks encoded so far."""

    kind = container.WITH_MODEL

    def __init__(self, model: Model) -> None:
        self.escapes = Escapes()
        self.name = name_of(model)
        self._model, self._symbols = model, len(model.vocabulary)
        self._exponentials = np.zeros((1, -(-self._symbols // WIDTH) * WIDTH), np.float32)

    def encode(self, block: bytes) -> Words:
        """Return the words (n,) of a block."""
        if self._model.vocabulary.is_bytes:
            return encode_intervals(*self._intervals(np.frombuffer(block, np.uint8).astype(np.int64)))
        text = block.decode("utf-8", "surrogateescape")
        all_ids, known = self._model.vocabulary.look_up(text)
        self.escapes.add(text, ~known)
        ids = np.where(known, all_ids.astype(np.int64), -1)
        before, widths = self._intervals(ids[ids >= 0])
        return encode_intervals(*_with_escapes(text, ids, before, widths))

    def decode(self, words: Words, length: int) -> bytes:
        """Return the block of `length` bytes. Raise CompressedFileError if `words` are damaged."""
        reader, block, spellings = Reader(words), bytearray(), self._spellings()
        lengths = np.array([len(symbol) for symbol in spellings], np.int64)
        decoder = ModelDecoder(self._model.stepper)
        while len(block) < length:
            ids, escape = decoder.decode(reader.coded, lengths, length - len(block))
            block += b"".join([spellings[i] for i in ids.tolist()])
            if escape:
                reader.skip_escape()
                block += reader.escaped()
        return bytes(block)

    def _intervals(self, ids: Integers) -> tuple[Integers, Integers]:
        """Return the beginning in [0, 2^24) and the width of the interval of each id (N,), after the ids before it."""
        before, widths = np.zeros(len(ids), np.int64), np.zeros(len(ids), np.int64)
        state, logs = self._model.zero_state(), np.zeros((1, self._symbols), np.float32)
        for start in range(0, len(ids), CHUNK):
            part = slice(start, start + CHUNK)
            inputs, last = ids[part], logs[-1:]
            logs, state = self._model.reader.log_probabilities(inputs, state)
            rows = self._padded(np.concatenate([last, logs[:-1]]))
            range_coder.intervals(rows, inputs, ESCAPE, self._symbols, before[part], widths[part], self._exponentials)
        return before, widths

    def _padded(self, logs: NDArray[np.float32]) -> NDArray[np.float32]:
        missing = self._exponentials.shape[1] - self._symbols
        return np.pad(logs, ((0, 0), (0, missing)), constant_values=-np.inf)

    def _spellings(self) -> list[bytes]:
        symbols = self._model.vocabulary.symbols
        encoding = "latin-1" if self._model.vocabulary.is_bytes else "utf-8"
        return [symbol.encode(encoding) for symbol in symbols]


def name_of(model: Model) -> bytes:
    """Return 16 bytes that identify a model: a digest of its configuration, vocabulary and parameters."""
    config = json.dumps(model.config.to_table(), sort_keys=True, separators=(",", ":"))
    points = model.vocabulary.code_points.astype("<u4").tobytes()
    return hashlib.sha256(config.encode() + points + model.sha256.encode()).digest()[: container.MODEL_NAME_BYTES]


def compress(
    model: Model,
    source: BinaryIO,
    target: container.Target,
    progress: container.ProgressCallback = container.ignore_progress,
) -> Escapes:
    """Compress a stream with a model.

    Args:
        model: the model; `decompress` needs the same model.
        source: the input, read to its end.
        target: the output.
        progress: called after each block with the number of bytes read and the number of bytes written.

    Returns:
        The unknown characters of the input.
    """
    codec = ModelCodec(model)
    container.compress(source, target, codec, progress)
    return codec.escapes


def decompress(
    model: Model,
    source: BinaryIO,
    target: container.Target,
    progress: container.ProgressCallback = container.ignore_progress,
    damaged: container.DamageCallback | None = None,
) -> None:
    """Decompress a stream that `compress` wrote.

    Args:
        model: the model that `compress` used.
        source: the compressed stream.
        target: the output.
        progress: called after each block with the number of bytes read and the number of bytes written.
        damaged: called with the error of each damaged block; the other blocks are written.
            If None, the first error is raised.

    Raises:
        CompressedFileError: if the file is damaged, unless `damaged` handles the error.
        ModelError: if the file was compressed with another model or without one.
    """

    def codec_of(header: container.Header) -> ModelCodec:
        codec = ModelCodec(model)
        if header.kind != codec.kind:
            raise ModelError(
                "the file was compressed without a model.", hint="give `--adaptive` in place of the model."
            )
        if header.name != codec.name:
            raise ModelError(
                f"the file was compressed with another model: {header.name.hex()}, not {codec.name.hex()}.",
                hint="give the model with which the file was compressed.",
            )
        return codec

    container.decompress(source, target, codec_of, progress, damaged)


def _with_escapes(text: str, ids: Integers, before: Integers, widths: Integers) -> tuple[Integers, Integers]:
    """Return the intervals of all characters, from the intervals `before` and `widths` of the known characters.

    Each id of -1 is an unknown character; its intervals are the escape and the bytes of the character.
    """
    places = np.flatnonzero(ids < 0)
    if len(places) == 0:
        return before, widths
    points = code_points(text)[places].tolist()
    escapes = [_escape(point) for point in points]
    lengths = np.ones(len(ids), np.int64)
    lengths[places] = [1 + len(escape) for escape in escapes]
    starts = np.cumsum(lengths) - lengths
    all_before, all_widths = (np.zeros(lengths.sum(), np.int64) for _ in range(2))
    all_before[starts[ids >= 0]], all_widths[starts[ids >= 0]] = before, widths
    for start, escape in zip(starts[places].tolist(), escapes, strict=True):
        all_before[start], all_widths[start] = ESCAPE, 1
        after = slice(start + 1, start + 1 + len(escape))
        all_before[after], all_widths[after] = np.frombuffer(escape, np.uint8).astype(np.int64) << BYTE, 1 << BYTE
    return all_before, all_widths


def _escape(point: int) -> bytes:
    """Return the bytes after an escape: the code point's UTF-8, or `NO_UTF8` and the invalid byte behind it."""
    byte = chr(point).encode("utf-8", "surrogateescape")
    return bytes([NO_UTF8]) + byte if 0xDC80 <= point <= 0xDCFF else byte

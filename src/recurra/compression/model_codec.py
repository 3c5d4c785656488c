"""Compress with a trained model: it predicts each character, and the coder spends -log2 p bits on it.

A block of up to 1 MiB is coded from a zero state, by itself. Text is read as characters; what is no UTF-8, and what
the model does not know, is escaped. docs/compression.md specifies the bits; the container is in `container`.
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

CHUNK = 256  # characters that the network reads in one call: it changes no bit


class Model(Protocol):
    """What is compressed with: a `LanguageModel`."""

    @property
    def config(self) -> ModelConfig:
        """The network's settings."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The characters of the network."""

    @property
    def sha256(self) -> str:
        """The digest of its parameters."""

    @property
    def reader(self) -> Network:
        """The network as it reads ids."""

    @property
    def stepper(self) -> Stepper:
        """The network a step at a time."""

    def zero_state(self) -> State:
        """The state before the first character."""


class Escapes:
    """The characters of a text that the model does not know: how many of each; and all line ends that are CRLF."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.crlf = 0

    def add(self, text: str, unknown: NDArray[np.bool_]) -> None:
        """Count those of a block; `unknown` (N,) says which they are."""
        points, counts = np.unique(code_points(text)[unknown], return_counts=True)
        found = {chr(point): count for point, count in zip(points.tolist(), counts.tolist(), strict=True)}
        self.counts.update(found)
        self.crlf += text.count("\r\n") if "\r" in found else 0

    def bytes_of(self, character: str) -> int:
        """The bytes of a compressed file that the escapes of a character take."""
        each = ESCAPE_BITS // 8 + len(character.encode("utf-8", "surrogatepass"))
        return self.counts[character] * each


class ModelCodec:
    """Blocks to words and back by a trained model; `escapes` count what it did not know of the blocks so far."""

    kind = container.WITH_MODEL

    def __init__(self, model: Model) -> None:
        self.escapes = Escapes()
        self.name = name_of(model)
        self._model, self._symbols = model, len(model.vocabulary)
        self._room = np.zeros((1, -(-self._symbols // WIDTH) * WIDTH), np.float32)

    def encode(self, block: bytes) -> Words:
        """The words (n,) of a block."""
        if self._model.vocabulary.is_bytes:
            return encode_intervals(*self._intervals(np.frombuffer(block, np.uint8).astype(np.int64)))
        text = block.decode("utf-8", "surrogateescape")
        found, known = self._model.vocabulary.look_up(text)
        self.escapes.add(text, ~known)
        ids = np.where(known, found.astype(np.int64), -1)
        before, widths = self._intervals(ids[ids >= 0])
        return encode_intervals(*_with_escapes(text, ids, before, widths))

    def decode(self, words: Words, length: int) -> bytes:
        """The block of `length` bytes that `words` are; CompressedFileError where they are none."""
        reader, block, spelled = Reader(words), bytearray(), self._spelled()
        lengths = np.array([len(symbol) for symbol in spelled], np.int64)
        decoder = ModelDecoder(self._model.stepper)
        while len(block) < length:
            ids, escape = decoder.decode(reader.coded, lengths, length - len(block))
            block += b"".join([spelled[i] for i in ids.tolist()])
            if escape:
                reader.skip_escape()
                block += reader.escaped()
        return bytes(block)

    def _intervals(self, ids: Integers) -> tuple[Integers, Integers]:
        """Where each of the ids (N,) begins in [0, 2^24) and how wide it is, given those before it."""
        before, widths = np.zeros(len(ids), np.int64), np.zeros(len(ids), np.int64)
        state, logs = self._model.zero_state(), np.zeros((1, self._symbols), np.float32)
        for start in range(0, len(ids), CHUNK):
            part = slice(start, start + CHUNK)
            own, last = ids[part], logs[-1:]
            logs, state = self._model.reader.log_probabilities(own, state)
            rows = self._padded(np.concatenate([last, logs[:-1]]))
            range_coder.intervals(rows, own, ESCAPE, self._symbols, before[part], widths[part], self._room)
        return before, widths

    def _padded(self, logs: NDArray[np.float32]) -> NDArray[np.float32]:
        missing = self._room.shape[1] - self._symbols
        return np.pad(logs, ((0, 0), (0, missing)), constant_values=-np.inf)

    def _spelled(self) -> list[bytes]:
        symbols = self._model.vocabulary.symbols
        encoding = "latin-1" if self._model.vocabulary.is_bytes else "utf-8"
        return [symbol.encode(encoding) for symbol in symbols]


def name_of(model: Model) -> bytes:
    """16 bytes that no other model has: of its configuration, vocabulary and parameters."""
    config = json.dumps(model.config.to_table(), sort_keys=True, separators=(",", ":"))
    points = model.vocabulary.code_points.astype("<u4").tobytes()
    return hashlib.sha256(config.encode() + points + model.sha256.encode()).digest()[: container.MODEL_NAME_BYTES]


def compress(
    model: Model,
    source: BinaryIO,
    target: container.Target,
    progress: container.ProgressCallback = container.ignore_progress,
) -> Escapes:
    """Write `source`, read to its end, to `target`, so that `decompress` with the same model gives it back.

    Returns what the model did not know of it.
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
    """Write what `compress` read. CompressedFileError where the file is damaged, ModelError where the model is another.

    Where `damaged` is given, it is told of every damaged block, and the others are written.
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
                hint="give the model that it was compressed with.",
            )
        return codec

    container.decompress(source, target, codec_of, progress, damaged)


def _with_escapes(text: str, ids: Integers, before: Integers, widths: Integers) -> tuple[Integers, Integers]:
    """The intervals of the known characters, and, where `ids` are -1, those of an escape and the bytes after it."""
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
    """The bytes after the escape of a code point: its UTF-8, or the mark and the byte that it stands for."""
    byte = chr(point).encode("utf-8", "surrogateescape")
    return bytes([NO_UTF8]) + byte if 0xDC80 <= point <= 0xDCFF else byte

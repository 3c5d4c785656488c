"""A compressed file follows docs/compression.md: a decoder written only from that page reads it.

The decoder uses integers of any length, so that it needs no carry. The vocabulary of the model is `a`, so that every
frequency is constant and no network is needed.
"""

from __future__ import annotations

import hashlib
import io
import json

import pytest

from recurra.compression import container, model_codec
from recurra.config import ModelConfig
from recurra.model import LanguageModel
from recurra.network.parameters import initialize
from recurra.text.vocabulary import Vocabulary

CONFIG = ModelConfig(hidden_size=8)
MODEL = LanguageModel(CONFIG, Vocabulary.of("a"), initialize(CONFIG, 1, seed=1))
TEXT = "a" * 90 + "éab中a\u07ff\u0800\uffff\U00010000\U0010ffff" + "a" * 90
DATA = TEXT.encode() + b"\x80aaa\xff\xc3" + b"a" * 90
M = 2**24 - 1


class Coder:
    """The state of the decoder."""

    def __init__(self, words: list[int]) -> None:
        self._words = iter(words + [0] * 1000)
        self._number, self._low, self._range = 0, 0, 2**64 - 1
        self._move()
        self._move()

    def _move(self) -> None:
        self._number = self._number << 32 | next(self._words)

    def place(self) -> int:
        return (self._number - self._low) // (self._range // 2**24)

    def go(self, before: int, frequency: int) -> None:
        scale = self._range // 2**24
        self._low, self._range = self._low + scale * before, scale * frequency
        if self._range < 2**32:
            self._low, self._range = self._low << 32, self._range << 32
            self._move()

    def byte(self) -> int:
        byte = self.place() // 2**16
        self.go(byte * 2**16, 2**16)
        return byte


def decoded(words: list[int], length: int) -> bytes:
    coder, out = Coder(words), bytearray()
    while len(out) < length:
        if coder.place() < M:
            coder.go(0, M)
            out += b"a"
            continue
        coder.go(M, 1)
        first = coder.byte()
        if first == 0xFF:
            out.append(coder.byte())
        else:
            ones = 8 - (first ^ 0xFF).bit_length()
            character = bytes([first, *(coder.byte() for _ in range(ones - 1))])
            assert len(character.decode("utf-8")) == 1
            out += character
    return bytes(out)


def check(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


@pytest.mark.parametrize("longest", [40, 1_048_576])
def test_decoder_written_from_the_specification_reads_the_file(monkeypatch: pytest.MonkeyPatch, longest: int) -> None:
    monkeypatch.setattr(container, "MAX_BLOCK_BYTES", longest)
    target = io.BytesIO()
    model_codec.compress(MODEL, io.BytesIO(DATA), target)
    size = target.tell()
    file = io.BytesIO(target.getvalue())

    def number(width: int = 4) -> int:
        return int.from_bytes(file.read(width), "little")

    start = file.read(22)
    config = json.dumps(CONFIG.to_table(), sort_keys=True, separators=(",", ":")).encode()
    name = check(config, b"a\0\0\0", MODEL.sha256.encode())[:16]
    assert start == b"RCRA\x02\x01" + name
    blocks = []
    while length := number():
        n = number()
        words_check, bytes_check = file.read(4), file.read(4)
        payload = file.read(4 * n or length)
        words = [int.from_bytes(payload[i : i + 4], "little") for i in range(0, 4 * n, 4)]
        blocks.append(decoded(words, length) if n else payload)
        counted = len(blocks) - 1
        head = counted.to_bytes(8, "little") + length.to_bytes(4, "little") + n.to_bytes(4, "little")
        assert words_check == check(start, head, payload)[:4]
        assert bytes_check == check(blocks[-1])[:4]
    assert b"".join(blocks) == DATA
    assert file.read(8) == check(start, len(blocks).to_bytes(8, "little"), len(DATA).to_bytes(8, "little"))[:8]
    assert file.tell() == size
    assert len(blocks) == (1 if longest > 40 else -(-len(DATA) // 40))

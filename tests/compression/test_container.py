"""The container format without a model: the test's codec stores its blocks and returns any number of words."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra.compression import container
from recurra.errors import CompressedFileError

START = 22  # bytes, before the first block


class Codec:
    """A codec that encodes each block as `words` copies of its number."""

    kind, name = container.WITH_MODEL, bytes(range(16))

    def __init__(self, words: int) -> None:
        self._words = words
        self._blocks: list[bytes] = []

    def encode(self, block: bytes) -> NDArray[Any]:
        self._blocks.append(block)
        return np.full(self._words, len(self._blocks) - 1, np.uint32)

    def decode(self, words: NDArray[Any], length: int) -> bytes:
        block = self._blocks[words[0]]
        assert len(block) == length
        return block


def round_trip(data: bytes, words: int) -> tuple[bytes, bytes]:
    """Return the file of `data`, and the decompressed data."""
    codec, file, out = Codec(words), io.BytesIO(), io.BytesIO()
    container.compress(io.BytesIO(data), file, codec, container.ignore_progress)
    container.decompress(io.BytesIO(file.getvalue()), out, lambda _: codec)
    return file.getvalue(), out.getvalue()


@pytest.mark.parametrize(("text", "blocks"), [
    ("", []), ("abc", ["abc"]), ("abcd", ["abcd"]), ("abcde", ["abcd", "e"]),
    ("ab\x80c", ["ab\x80", "c"]), ("abc\x80", ["abc", "\x80"]), ("abc\u07ff", ["abc", "\u07ff"]),
    ("a\u0800b", ["a\u0800", "b"]), ("ab\u0800", ["ab", "\u0800"]), ("abc\uffff", ["abc", "\uffff"]),
    ("\U00010000a", ["\U00010000", "a"]), ("a\U00010000", ["a", "\U00010000"]), ("ab\U00010000", ["ab", "\U00010000"]),
    ("abc\U0010ffff", ["abc", "\U0010ffff"]),
])  # fmt: skip
def test_block_ends_between_characters(monkeypatch: pytest.MonkeyPatch, text: str, blocks: list[str]) -> None:
    monkeypatch.setattr(container, "MAX_BLOCK_BYTES", 4)
    assert list(container._blocks(io.BytesIO(text.encode()))) == [block.encode() for block in blocks]


def test_block_of_invalid_utf_8_has_the_maximum_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_BLOCK_BYTES", 4)
    assert list(container._blocks(io.BytesIO(b"\x80" * 9))) == [b"\x80" * 4, b"\x80" * 4, b"\x80"]


def test_incomplete_character_at_the_end_is_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_BLOCK_BYTES", 4)
    assert list(container._blocks(io.BytesIO(b"abc\xc3"))) == [b"abc", b"\xc3"]


def test_block_has_at_most_one_mebibyte() -> None:
    data = bytes(2**20) + b"abc"
    file, back = round_trip(data, 1)
    assert back == data
    assert struct.unpack_from("<I", file, START) == (2**20,)


@pytest.mark.parametrize(("length", "words", "kept"), [(20, 4, 4), (17, 4, 4), (16, 4, 0), (15, 4, 0), (4, 1, 0)])
def test_block_is_coded_only_if_words_are_shorter(length: int, words: int, kept: int) -> None:
    data = bytes(range(length))
    file, back = round_trip(data, words)
    assert back == data
    assert struct.unpack_from("<II", file, START) == (length, kept)
    assert len(file) == START + 16 + (4 * kept or length) + 12


@pytest.mark.parametrize(
    ("length", "words"), [(2**32 - 1, 0), (2**20 + 1, 0), (2**20 + 1, 1), (8, 2), (8, 3), (8, 2**30)]
)
def test_impossible_block_head_raises_before_reading_on(length: int, words: int) -> None:
    file, _ = round_trip(b"", 1)
    with pytest.raises(CompressedFileError, match=r"block 0 of the compressed file, from byte 0 of the text on"):
        container.decompress(
            io.BytesIO(file[:START] + struct.pack("<II", length, words)), io.BytesIO(), lambda _: Codec(1)
        )


@pytest.mark.parametrize("words", [4, 10])
def test_progress_reports_bytes_read_and_written(monkeypatch: pytest.MonkeyPatch, words: int) -> None:
    monkeypatch.setattr(container, "MAX_BLOCK_BYTES", 40)
    data, codec = bytes(range(100)), Codec(words)
    source, file, out, counts = io.BytesIO(data), io.BytesIO(), io.BytesIO(), []

    def compressed(read: int, written: int) -> None:
        counts.append(read)
        assert written == file.tell()

    def decompressed(read: int, written: int) -> None:
        counts.append(written)
        assert (read, written) == (source.tell(), out.tell())

    container.compress(source, file, codec, compressed)
    assert counts == [40, 80, 100, 100]
    counts.clear()
    source = io.BytesIO(file.getvalue())
    container.decompress(source, out, lambda _: codec, decompressed)
    assert counts == [40, 80, 100, 100]

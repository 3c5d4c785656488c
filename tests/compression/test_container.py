"""The file of blocks, without a model: a codec that remembers its blocks, in as many words as a test asks for."""

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
    """Any block in `words` words: they have the block's number."""

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


def there_and_back(data: bytes, words: int) -> tuple[bytes, bytes]:
    """The file, and what it is decompressed to."""
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
def test_a_block_ends_where_a_character_does(monkeypatch: pytest.MonkeyPatch, text: str, blocks: list[str]) -> None:
    monkeypatch.setattr(container, "MAX_BLOCK_BYTES", 4)
    assert list(container._blocks(io.BytesIO(text.encode()))) == [block.encode() for block in blocks]


def test_where_no_character_ends_a_block_is_as_long_as_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_BLOCK_BYTES", 4)
    assert list(container._blocks(io.BytesIO(b"\x80" * 9))) == [b"\x80" * 4, b"\x80" * 4, b"\x80"]


def test_a_character_that_the_end_of_the_file_cuts_off_is_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_BLOCK_BYTES", 4)
    assert list(container._blocks(io.BytesIO(b"abc\xc3"))) == [b"abc", b"\xc3"]


def test_a_block_has_a_mebibyte_at_most() -> None:
    data = bytes(2**20) + b"abc"
    file, back = there_and_back(data, 1)
    assert back == data
    assert struct.unpack_from("<I", file, START) == (2**20,)


@pytest.mark.parametrize(("length", "words", "kept"), [(20, 4, 4), (17, 4, 4), (16, 4, 0), (15, 4, 0), (4, 1, 0)])
def test_a_block_stands_in_words_where_they_are_shorter(length: int, words: int, kept: int) -> None:
    data = bytes(range(length))
    file, back = there_and_back(data, words)
    assert back == data
    assert struct.unpack_from("<II", file, START) == (length, kept)
    assert len(file) == START + 16 + (4 * kept or length) + 12


@pytest.mark.parametrize(
    ("length", "words"), [(2**32 - 1, 0), (2**20 + 1, 0), (2**20 + 1, 1), (8, 2), (8, 3), (8, 2**30)]
)
def test_a_head_that_no_block_has_is_refused_before_anything_is_read(length: int, words: int) -> None:
    file, _ = there_and_back(b"", 1)
    with pytest.raises(CompressedFileError, match=r"block 0 of the compressed file, from byte 0 of the text on"):
        container.decompress(
            io.BytesIO(file[:START] + struct.pack("<II", length, words)), io.BytesIO(), lambda _: Codec(1)
        )


@pytest.mark.parametrize("words", [4, 10])
def test_what_is_told_is_what_was_read_and_written(monkeypatch: pytest.MonkeyPatch, words: int) -> None:
    monkeypatch.setattr(container, "MAX_BLOCK_BYTES", 40)
    data, codec = bytes(range(100)), Codec(words)
    source, file, out, told = io.BytesIO(data), io.BytesIO(), io.BytesIO(), []

    def compressed(read: int, written: int) -> None:
        told.append(read)
        assert written == file.tell()

    def decompressed(read: int, written: int) -> None:
        told.append(written)
        assert (read, written) == (source.tell(), out.tell())

    container.compress(source, file, codec, compressed)
    assert told == [40, 80, 100, 100]
    told.clear()
    source = io.BytesIO(file.getvalue())
    container.decompress(source, out, lambda _: codec, decompressed)
    assert told == [40, 80, 100, 100]

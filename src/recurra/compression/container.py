"""The file format of compressed blocks. Each block has checksums: damage is detected, and never returned as text.

    magic "RCRA" · version (1 byte) · kind (1 byte) · 16 bytes that identify the model
    a block:  its length in bytes, 1 to 2^20 (4 bytes) · n, its number of words (4 bytes) · two checks (4 bytes each)
              · n words (4 bytes each), or, if n is 0, the uncompressed bytes
    the end:  0 (4 bytes) · check (8 bytes)

All numbers are little-endian. A check is the beginning of a sha256. The first check of a block covers everything before
the first block, the number of the block from 0 on (8 bytes), its length, n and its words. A damaged block is therefore
not decoded. The second check covers the uncompressed bytes. The check at the end covers everything before the first
block, the number of blocks and the total uncompressed length (8 bytes each).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from recurra.errors import CompressedFileError

RCRA_MAGIC = b"RCRA"
VERSION = 2
WITH_MODEL, ADAPTIVE = 1, 2  # kinds of files
MODEL_NAME_BYTES = 16
CHECK_BYTES, HALF_CHECK_BYTES = 8, 4
MAX_BLOCK_BYTES = 1 << 20

Words = NDArray[np.uint32]
ProgressCallback = Callable[[int, int], None]  # arguments: bytes read and bytes written so far
DamageCallback = Callable[[CompressedFileError], None]


def ignore_progress(read: int, written: int) -> None:
    """Ignore the progress: the default callback."""


class Codec(Protocol):
    """The interface of a codec, which encodes blocks as words and decodes them."""

    kind: int
    name: bytes

    def encode(self, block: bytes) -> Words:
        """Return the words of a block."""

    def decode(self, words: Words, length: int) -> bytes:
        """Return the block of `length` bytes."""


class Target(Protocol):
    """The interface of an output stream."""

    def write(self, data: bytes, /) -> Any:
        """Write all bytes of `data`."""


class Header(NamedTuple):
    """The kind of a compressed file, and the 16 bytes that identify the model."""

    kind: int
    name: bytes

    def to_bytes(self) -> bytes:
        """Return the bytes of the header."""
        return RCRA_MAGIC + bytes([VERSION, self.kind]) + self.name


def compress(source: BinaryIO, target: Target, codec: Codec, progress: ProgressCallback) -> None:
    """Compress a stream.

    Args:
        source: the input, read to its end.
        target: the output.
        codec: encodes the blocks.
        progress: called after each block with the number of bytes read and the number of bytes written.
    """
    start = Header(codec.kind, codec.name).to_bytes()
    target.write(start)
    read, written, number = 0, len(start), 0
    for block in _blocks(source):
        data = codec.encode(block).astype("<u4").tobytes()
        if len(data) >= len(block):
            data = block
        head = _Head(len(block), 0 if data is block else len(data) // 4)
        target.write(
            struct.pack("<II", *head) + head.check(start, number, data) + _digest(block)[:HALF_CHECK_BYTES] + data
        )
        number, read, written = number + 1, read + len(block), written + 8 + CHECK_BYTES + len(data)
        progress(read, written)
    target.write(struct.pack("<I", 0) + _digest(start, struct.pack("<QQ", number, read))[:CHECK_BYTES])
    progress(read, written + 4 + CHECK_BYTES)


def decompress(
    source: BinaryIO,
    target: Target,
    codec_of: Callable[[Header], Codec],
    progress: ProgressCallback = ignore_progress,
    damaged: DamageCallback | None = None,
) -> None:
    """Decompress a stream that `compress` wrote. A block is written only after both of its checks passed.

    Args:
        source: the compressed stream.
        target: the output.
        codec_of: returns the codec for the file's header, or raises ModelError.
        progress: called after each block with the number of bytes read and the number of bytes written.
        damaged: called with the error of each damaged block, and of a damaged or missing end; the other blocks are
            written. If None, the first error is raised.

    Raises:
        CompressedFileError: if the header is damaged, or if `damaged` is None and the file is damaged anywhere.
    """
    start = _read(source, len(RCRA_MAGIC) + 2 + MODEL_NAME_BYTES, "its beginning")
    codec = codec_of(_header(start))
    try:
        _decompress(source, target, start, codec, progress, damaged)
    except CompressedFileError as error:
        if damaged is None:
            raise
        damaged(error)


def _decompress(
    source: BinaryIO,
    target: Target,
    start: bytes,
    codec: Codec,
    progress: ProgressCallback,
    damaged: DamageCallback | None,
) -> None:
    read, written, number, place, intact = len(start), 0, 0, 0, True
    while length := _number(source):
        head = _Head(length, _number(source))
        try:
            block = _block(source, start, number, place, head, codec)
            target.write(block)
            read, written = read + 8 + CHECK_BYTES + head.payload, written + length
            progress(read, written)
        except CompressedFileError as error:
            if damaged is None:
                raise
            damaged(error)
            intact = False
        number, place = number + 1, place + length
    end = _read(source, CHECK_BYTES, "its end")
    if intact and end != _digest(start, struct.pack("<QQ", number, written))[:CHECK_BYTES]:
        raise CompressedFileError("the compressed file is damaged at its end.")
    if source.read(1):
        raise CompressedFileError("the compressed file has bytes after its end.")
    progress(read + 4 + CHECK_BYTES, written)


class _Head(NamedTuple):
    """The length of a block in bytes, and its number of words; 0 words if the block is stored uncompressed."""

    length: int
    words: int

    @property
    def payload(self) -> int:
        """The number of bytes in the file after the block's checks."""
        return 4 * self.words or self.length

    def check(self, start: bytes, number: int, data: bytes) -> bytes:
        """Return the first check of block `number` with the payload `data`."""
        return _digest(start, struct.pack("<QII", number, *self), data)[:HALF_CHECK_BYTES]


def _block(source: BinaryIO, start: bytes, number: int, place: int, head: _Head, codec: Codec) -> bytes:
    """Return the next block, which begins at byte `place` of the text.

    The first check is verified before the block is decoded, the second check afterwards.
    """
    if head.length > MAX_BLOCK_BYTES or 4 * head.words >= head.length:
        raise _damage(number, place)
    first, second = (_read(source, HALF_CHECK_BYTES, "a block") for _ in range(2))
    data = _read(source, head.payload, "a block")
    if first == head.check(start, number, data):
        block = _decoded(data, head, codec)
        if second == _digest(block)[:HALF_CHECK_BYTES]:
            return block
    raise _damage(number, place)


def _decoded(data: bytes, head: _Head, codec: Codec) -> bytes:
    if head.words:
        return codec.decode(np.frombuffer(data, "<u4").astype(np.uint32), head.length)
    codec.encode(data)  # an adaptive codec learns from the block
    return data


def _header(start: bytes) -> Header:
    if not start.startswith(RCRA_MAGIC):
        raise CompressedFileError("this is not a file written by `recurra compress`.")
    version, kind = start[len(RCRA_MAGIC)], start[len(RCRA_MAGIC) + 1]
    if version != VERSION or kind not in (WITH_MODEL, ADAPTIVE):
        raise CompressedFileError(
            f"the compressed file has version {version}, kind {kind}; this version of recurra reads version {VERSION}.",
            hint="decompress it with the version of recurra that wrote it.",
        )
    return Header(kind, start[len(RCRA_MAGIC) + 2 :])


def _blocks(source: BinaryIO) -> Iterator[bytes]:
    """Yield the source in blocks; if a block is UTF-8, it ends after a whole character."""
    rest = b""
    while data := source.read(MAX_BLOCK_BYTES - len(rest)):
        block = rest + data
        cut = len(block) - (_incomplete(block) if len(block) == MAX_BLOCK_BYTES else 0)
        yield block[:cut]
        rest = block[cut:]
    if rest:
        yield rest


def _incomplete(block: bytes) -> int:
    """Return the number of bytes at the end of `block` that begin an incomplete character of UTF-8."""
    for back in range(1, 4):
        byte = block[-back]
        if byte >= 0xC0:
            return back if back < 2 + (byte >= 0xE0) + (byte >= 0xF0) else 0
        if byte < 0x80:
            return 0
    return 0


def _number(source: BinaryIO) -> int:
    return int.from_bytes(_read(source, 4, "a number"), "little")


def _read(source: BinaryIO, length: int, what: str) -> bytes:
    data = source.read(length)
    if len(data) < length:
        raise CompressedFileError(f"the compressed file ends within {what}: it is incomplete.")
    return data


def _digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _damage(number: int, place: int) -> CompressedFileError:
    return CompressedFileError(
        f"block {number} of the compressed file, from byte {place:,} of the text on, is damaged.",
        hint="`--salvage` writes the other blocks.",
    )

"""The file of compressed blocks; each block has a checksum, so that damage is found and never read as text.

    magic "RCRA" · version (1 byte) · kind (1 byte) · 16 bytes that name the model
    a block:  its length in bytes, 1 to 2^20 (4 bytes) · n, its words (4 bytes) · two checks (4 bytes each)
              · n words (4 bytes each), or, where n is 0, the bytes as they are
    the end:  0 (4 bytes) · check (8 bytes)

All numbers are little-endian. The first check of a block is the beginning of the sha256 of everything before the first
block, the block's number from 0 on (8 bytes), its length, n and its words: a damaged block is not even decoded. The
second is that of its bytes as they were before; that of the end, of the beginning, the number of blocks and the length
of the whole, each in 8 bytes.
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
VERSION = 1
WITH_MODEL, ADAPTIVE = 1, 2  # kinds
MODEL_NAME_BYTES = 16  # bytes that name a model
CHECK, HALF = 8, 4  # bytes
MAX_BLOCK_BYTES = 1 << 20  # bytes at most

Words = NDArray[np.uint32]
ProgressCallback = Callable[[int, int], None]  # of bytes read and written so far
DamageCallback = Callable[[CompressedFileError], None]


def ignore_progress(read: int, written: int) -> None:
    """Told, and says nothing."""


class Codec(Protocol):
    """What turns a block into words and back."""

    kind: int
    name: bytes

    def encode(self, block: bytes) -> Words:
        """The words of a block."""

    def decode(self, words: Words, length: int) -> bytes:
        """The block of `length` bytes."""


class Target(Protocol):
    """Where bytes are written."""

    def write(self, data: bytes, /) -> Any:
        """All of them."""


class Header(NamedTuple):
    """What a compressed file says at its beginning."""

    kind: int
    name: bytes

    def to_bytes(self) -> bytes:
        """The beginning of the file."""
        return RCRA_MAGIC + bytes([VERSION, self.kind]) + self.name


def compress(source: BinaryIO, target: Target, codec: Codec, progress: ProgressCallback) -> None:
    """Write `source`, read to its end, as a compressed file; `progress` of bytes read and written after each block."""
    start = Header(codec.kind, codec.name).to_bytes()
    target.write(start)
    read, written, number = 0, len(start), 0
    for block in _blocks(source):
        data = codec.encode(block).astype("<u4").tobytes()
        if len(data) >= len(block):
            data = block
        head = _Head(len(block), 0 if data is block else len(data) // 4)
        target.write(struct.pack("<II", *head) + head.check(start, number, data) + _digest(block)[:HALF] + data)
        number, read, written = number + 1, read + len(block), written + 8 + CHECK + len(data)
        progress(read, written)
    target.write(struct.pack("<I", 0) + _digest(start, struct.pack("<QQ", number, read))[:CHECK])
    progress(read, written + 4 + CHECK)


def decompress(
    source: BinaryIO,
    target: Target,
    codec_of: Callable[[Header], Codec],
    progress: ProgressCallback = ignore_progress,
    damaged: DamageCallback | None = None,
) -> None:
    """Write what `compress` read; `codec_of` the file's beginning gives what decodes it, or raises ModelError.

    Nothing of a block is written before all of it proved right. CompressedFileError at the first that does not,
    or, where `damaged` is there to be told of it, go on with the next; then it is told of a missing end, too.
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
    read, written, number, place, whole = len(start), 0, 0, 0, True
    while length := _number(source):
        head = _Head(length, _number(source))
        try:
            block = _block(source, start, number, place, head, codec)
            target.write(block)
            read, written = read + 8 + CHECK + head.payload, written + length
            progress(read, written)
        except CompressedFileError as error:
            if damaged is None:
                raise
            damaged(error)
            whole = False
        number, place = number + 1, place + length
    end = _read(source, CHECK, "its end")
    if whole and end != _digest(start, struct.pack("<QQ", number, written))[:CHECK]:
        raise CompressedFileError("the compressed file is damaged at its end.")
    if source.read(1):
        raise CompressedFileError("the compressed file goes on after its end.")
    progress(read + 4 + CHECK, written)


class _Head(NamedTuple):
    """A block's length in bytes, and the number of words that code it; 0 where it stands as it is."""

    length: int
    words: int

    @property
    def payload(self) -> int:
        """The bytes that it has in the file after its checks."""
        return 4 * self.words or self.length

    def check(self, start: bytes, number: int, data: bytes) -> bytes:
        """The first check of block `number`, whose payload is `data`."""
        return _digest(start, struct.pack("<QII", number, *self), data)[:HALF]


def _block(source: BinaryIO, start: bytes, number: int, place: int, head: _Head, codec: Codec) -> bytes:
    """The next block, which begins at byte `place` of the text, checked before it is decoded and after."""
    if head.length > MAX_BLOCK_BYTES or 4 * head.words >= head.length:
        raise _damage(number, place)
    first, second = (_read(source, HALF, "a block") for _ in range(2))
    data = _read(source, head.payload, "a block")
    if first == head.check(start, number, data):
        block = _decoded(data, head, codec)
        if second == _digest(block)[:HALF]:
            return block
    raise _damage(number, place)


def _decoded(data: bytes, head: _Head, codec: Codec) -> bytes:
    if head.words:
        return codec.decode(np.frombuffer(data, "<u4").astype(np.uint32), head.length)
    codec.encode(data)  # what it teaches is to be learned
    return data


def _header(start: bytes) -> Header:
    if not start.startswith(RCRA_MAGIC):
        raise CompressedFileError("this is no file that `recurra compress` wrote.")
    version, kind = start[len(RCRA_MAGIC)], start[len(RCRA_MAGIC) + 1]
    if version != VERSION or kind not in (WITH_MODEL, ADAPTIVE):
        raise CompressedFileError(
            f"the compressed file is of version {version}, kind {kind}; this version reads {VERSION}.",
            hint="decompress it with the version of recurra that wrote it.",
        )
    return Header(kind, start[len(RCRA_MAGIC) + 2 :])


def _blocks(source: BinaryIO) -> Iterator[bytes]:
    """The source in blocks that end where a character of UTF-8 does, if there is one."""
    rest = b""
    while data := source.read(MAX_BLOCK_BYTES - len(rest)):
        block = rest + data
        cut = len(block) - (_incomplete(block) if len(block) == MAX_BLOCK_BYTES else 0)
        yield block[:cut]
        rest = block[cut:]
    if rest:
        yield rest


def _incomplete(block: bytes) -> int:
    """How many bytes at the end begin a character of UTF-8 that goes on beyond."""
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
        raise CompressedFileError(f"the compressed file ends within {what}: a part of it is missing.")
    return data


def _digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _damage(number: int, place: int) -> CompressedFileError:
    return CompressedFileError(
        f"block {number} of the compressed file, from byte {place:,} of the text on, is damaged.",
        hint="`--salvage` writes the other blocks.",
    )

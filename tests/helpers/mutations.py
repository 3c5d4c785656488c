"""Damage valid files at random; the same seed gives the same damage."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

WORDS = (
    b"", b"\0", b"\xff", b"\n", b'"', b"\\", b"\\u0000", b"\\ud800", b"{", b"}", b"[", b"]", b",", b":", b"null",
    b"true", b"NaN", b"Infinity", b"-1", b"0", b"1e999", b"1e-999", b"0.5", b"9" * 30, b"9" * 400, b"9" * 5000,
    b"[" * 2000, b'{"a":' * 2000, b"[[", b"=", b".", b"'", b'"""', b"\x1b[2J", "\u202e".encode(), b"\xed\xa0\x80",
    b"\r\n",
)  # fmt: skip
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)


def mutated(valid: bytes, others: Sequence[bytes], draw: Random) -> bytes:
    """Return `valid` with one to four random changes, or random bytes; pieces of `others` can be inserted."""
    if draw.random() < 0.05:
        return draw.randbytes(draw.choice((0, 1, 7, 8, 9, 100, 5000)))
    data = bytearray(valid)
    for _ in range(draw.randint(1, 4)):
        draw.choice(CHANGES)(data, others, draw)
    return bytes(data)


def _place(data: bytearray, draw: Random) -> int:
    """Return a random position, more often near the beginning."""
    return draw.randrange(min(len(data), draw.choice((16, 400, len(data)))) + 1) if data else 0


def _flip(data: bytearray, _: Sequence[bytes], draw: Random) -> None:
    if data:
        data[min(_place(data, draw), len(data) - 1)] ^= 1 << draw.randrange(8)


def _set(data: bytearray, _: Sequence[bytes], draw: Random) -> None:
    if data:
        data[min(_place(data, draw), len(data) - 1)] = draw.choice(INTERESTING)


def _cut(data: bytearray, _: Sequence[bytes], draw: Random) -> None:
    del data[_place(data, draw) :]


def _remove(data: bytearray, _: Sequence[bytes], draw: Random) -> None:
    start = _place(data, draw)
    del data[start : start + draw.choice((1, 2, 8, 100))]


def _insert(data: bytearray, _: Sequence[bytes], draw: Random) -> None:
    start = _place(data, draw)
    data[start:start] = draw.choice(WORDS)


def _repeat(data: bytearray, _: Sequence[bytes], draw: Random) -> None:
    start = _place(data, draw)
    data[start:start] = data[start : start + draw.choice((1, 20, 300))] * draw.choice((1, 2, 50))


def _replace_value(data: bytearray, _: Sequence[bytes], draw: Random) -> None:
    """Replace a number or a string by one of `WORDS`."""
    values = list(re.finditer(rb'-?\d+(?:\.\d+)?(?:e-?\d+)?|"[^"\\]*"|true|false|null', data))
    if values:
        start, stop = draw.choice(values).span()
        data[start:stop] = draw.choice(WORDS)


def _splice(data: bytearray, others: Sequence[bytes], draw: Random) -> None:
    """Replace the end, or a piece, by the end or a piece of a different file."""
    other = draw.choice(others)
    start, from_ = _place(data, draw), draw.randrange(len(other) + 1)
    stop = len(data) if draw.random() < 0.5 else start + draw.choice((1, 8, 100))
    data[start:stop] = other[from_ : from_ + stop - start]


Change = Callable[[bytearray, Sequence[bytes], Random], None]
CHANGES: tuple[Change, ...] = (_flip, _set, _cut, _remove, _insert, _repeat, _replace_value, _replace_value, _splice)

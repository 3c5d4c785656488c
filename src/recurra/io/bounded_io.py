"""Open untrusted files, and read them, their JSON and their TOML within limits.

Only regular files are opened, so that nothing waits for a pipe or reads a device without end. What is parsed is bounded
before: a value in memory takes up to thirty times the bytes that write it.
"""

from __future__ import annotations

import errno
import io
import json
import math
import os
import re
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

MAX_TEXT_BYTES = 1 << 23  # bytes of one such text, or of a line
MOST_VALUES = 300_000  # of one text in JSON or TOML: lists and tables, and what lies in them
MOST_DOTS = 100  # of a line of TOML, outside its strings: tomllib takes the square of a key's parts
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
# Possessive, and without need of a closing quote: one pass over any bytes. What has no end is no JSON and no TOML.
_TOML_STRING = re.compile(rb'"(?:[^"\\\n]|\\.)*+"?')
_JSON_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)


def is_foreign(found: os.stat_result) -> bool:
    """Return True if a file with this status belongs to another user, who is not root."""
    return hasattr(os, "geteuid") and found.st_uid not in (os.geteuid(), 0)


def open_regular(path: Path) -> io.FileIO:
    """Open a regular file for reading, at once; OSError where `path` is anything else, or nothing."""
    try:
        handle = os.open(path, _FLAGS)
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(path)) from error
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        return io.FileIO(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read(path: Path, limit: int) -> bytes:
    """All of a regular file; OSError where it cannot be read, or has more than `limit` bytes."""
    with io.BufferedReader(open_regular(path)) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes", str(path))
    return data


def lines(path: Path, limit: int) -> Iterator[bytes]:
    """The lines of a regular file, each with its end; OSError where one has more than `limit` bytes."""
    with io.BufferedReader(open_regular(path)) as file:
        while line := file.readline(limit + 1):
            if len(line) > limit:
                raise OSError(errno.EFBIG, f"a line has more than {limit:,} bytes", str(path))
            yield line


def parse_json(data: bytes, *, strict: bool = True) -> Any:
    """The value that `data` is in JSON, perhaps after a byte order mark, or ValueError.

    `strict` refuses a name that comes twice and a number that is not finite; else NaN and Infinity are None.
    """
    marks = b",[{"
    if _count(data, marks) > MOST_VALUES:
        _require_few_values(_JSON_STRING.sub(b'""', data), marks)
    named: dict[str, Any] = {"parse_constant": lambda _: None}
    if strict:
        named = {"parse_constant": _refuse_number, "parse_float": _finite, "object_pairs_hook": _object}
    try:
        return json.loads(data.decode("utf-8-sig"), **named)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_toml(data: bytes) -> dict[str, Any]:
    """The table that `data` is in the TOML that this package writes (strings in single or triple quotes it does not
    write), perhaps after a byte order mark, or ValueError.
    """
    bare = _TOML_STRING.sub(b'""', data)
    _require_few_values(bare, b",[{=")
    if b"'" in bare or b'"""' in data:
        raise ValueError("other quotes than plain double ones are not read")
    if max(line.count(b".") for line in bare.split(b"\n")) > MOST_DOTS:
        raise ValueError("a key has too many parts")
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _require_few_values(data: bytes, marks: bytes) -> None:
    if _count(data, marks) > MOST_VALUES:
        raise ValueError(f"it has more than {MOST_VALUES:,} values")


def _count(data: bytes, marks: bytes) -> int:
    return sum(data.count(mark) for mark in marks)


def _refuse_number(number: str) -> NoReturn:
    raise ValueError(f"{number} is no finite number")


def _finite(number: str) -> float:
    value = float(number)
    return value if math.isfinite(value) else _refuse_number(number)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name comes twice in one object")
    return found

"""Open untrusted files; read and parse them within limits.

Only regular files are opened, because a pipe may block and a device may have no end. Texts in JSON and TOML are checked
before they are parsed, because a value in memory takes up to thirty times the bytes of its text.
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

MAX_TEXT_BYTES = 1 << 23  # of a text in JSON or TOML, or of a line
MAX_VALUES = 300_000  # in a text in JSON or TOML, lists and tables included
MAX_DOTS = 100  # in a line of TOML, outside its strings; tomllib's time grows with the square of a key's parts
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
# Possessive and without a required closing quote: one pass over the bytes. The parser refuses an open string.
_TOML_STRING = re.compile(rb'"(?:[^"\\\n]|\\.)*+"?')
_JSON_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)


def is_foreign(status: os.stat_result) -> bool:
    """Return True if the owner of a file with this status is neither the current user nor root."""
    return hasattr(os, "geteuid") and status.st_uid not in (os.geteuid(), 0)


def open_regular(path: Path) -> io.FileIO:
    """Open a regular file for reading, without blocking; raise OSError if there is no regular file at `path`."""
    try:
        handle = os.open(path, _FLAGS)
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(path)) from error
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        return io.FileIO(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read(path: Path, limit: int) -> bytes:
    """Return the content of a regular file; raise OSError if it is unreadable or has more than `limit` bytes."""
    with io.BufferedReader(open_regular(path)) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes", str(path))
    return data


def lines(path: Path, limit: int) -> Iterator[bytes]:
    """Yield the lines of a regular file with their line ends; raise OSError if one has more than `limit` bytes."""
    with io.BufferedReader(open_regular(path)) as file:
        while line := file.readline(limit + 1):
            if len(line) > limit:
                raise OSError(errno.EFBIG, f"a line has more than {limit:,} bytes", str(path))
            yield line


def parse_json(data: bytes, *, strict: bool = True) -> Any:
    """Parse a text in JSON; a byte order mark is skipped.

    With `strict`, a duplicate name in an object and a number that is not finite raise ValueError; without it, NaN and
    Infinity become None. Any text that is not JSON raises ValueError.
    """
    marks = b",[{"
    if _count(data, marks) > MAX_VALUES:
        _require_few_values(_JSON_STRING.sub(b'""', data), marks)
    hooks: dict[str, Any] = {"parse_constant": lambda _: None}
    if strict:
        hooks = {"parse_constant": _refuse_number, "parse_float": _finite, "object_pairs_hook": _object}
    try:
        return json.loads(data.decode("utf-8-sig"), **hooks)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_toml(data: bytes) -> dict[str, Any]:
    """Parse the subset of TOML that recurra writes; a byte order mark is skipped.

    The subset has no strings in single or triple quotes. A text outside the subset raises ValueError.
    """
    bare = _TOML_STRING.sub(b'""', data)
    _require_few_values(bare, b",[{=")
    if b"'" in bare or b'"""' in data:
        raise ValueError("strings must be in plain double quotes")
    if max(line.count(b".") for line in bare.split(b"\n")) > MAX_DOTS:
        raise ValueError("a key has too many parts")
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _require_few_values(data: bytes, marks: bytes) -> None:
    if _count(data, marks) > MAX_VALUES:
        raise ValueError(f"it has more than {MAX_VALUES:,} values")


def _count(data: bytes, marks: bytes) -> int:
    return sum(data.count(mark) for mark in marks)


def _refuse_number(number: str) -> NoReturn:
    raise ValueError(f"{number} is not a finite number")


def _finite(number: str) -> float:
    value = float(number)
    return value if math.isfinite(value) else _refuse_number(number)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("an object has a duplicate name")
    return table

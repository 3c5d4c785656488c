"""Read a log while another process appends to it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, BinaryIO

from recurra.io import bounded_io

READ_BYTES = 1 << 22  # at most, in one call of `read`; a long log needs several calls
REMEMBERED_BYTES = 64  # before the position; if the file has other bytes there, it was truncated or replaced


class LogTail:
    """A reader that returns each line of a .jsonl file once, or all lines again after the file was replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position, self._last = 0, b""

    def read(self) -> tuple[list[dict[str, Any]], bool]:
        """Return the objects of the new complete lines, and True if all earlier lines are invalid.

        Skip lines without an object. A missing or unreadable file has no new lines.
        """
        try:
            with io.BufferedReader(bounded_io.open_regular(self._path)) as file:
                is_new = not self._continues(file)
                if is_new:
                    self._position, self._last = 0, b""
                file.seek(self._position)
                data = file.read(READ_BYTES)
        except OSError:
            return [], False
        complete = data[: data.rfind(b"\n") + 1]
        self._position += len(complete)
        self._last = (self._last + complete)[-REMEMBERED_BYTES:]
        return [row for row in map(_row, complete.splitlines()) if row is not None], is_new

    def _continues(self, file: BinaryIO) -> bool:
        file.seek(self._position - len(self._last))
        return file.read(len(self._last)) == self._last


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = bounded_io.parse_json(line, strict=False)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None

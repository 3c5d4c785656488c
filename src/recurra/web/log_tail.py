"""A log that another process writes, read as it grows."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, BinaryIO

from recurra.io import bounded_io

AT_ONCE = 1 << 22  # bytes of one reading: an old, long log is read in several
REMEMBERED = 64  # bytes before the place that was read to: by them a log is known again


class Tail:
    """The lines of a .jsonl file, each once; where the file was cut back or replaced, all anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place, self._last = 0, b""

    def read(self) -> tuple[list[dict[str, Any]], bool]:
        """The objects of the whole lines that are new, and whether all that came before no longer holds.

        What is no object is left out. A file that is not there, or cannot be read, has nothing new.
        """
        try:
            with io.BufferedReader(bounded_io.open_regular(self._path)) as file:
                anew = not self._goes_on(file)
                if anew:
                    self._place, self._last = 0, b""
                file.seek(self._place)
                data = file.read(AT_ONCE)
        except OSError:
            return [], False
        whole = data[: data.rfind(b"\n") + 1]
        self._place += len(whole)
        self._last = (self._last + whole)[-REMEMBERED:]
        return [row for row in map(_row, whole.splitlines()) if row is not None], anew

    def _goes_on(self, file: BinaryIO) -> bool:
        file.seek(self._place - len(self._last))
        return file.read(len(self._last)) == self._last


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = bounded_io.parse_json(line, strict=False)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None

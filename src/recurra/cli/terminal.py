"""Print data to stdout and messages to stderr; use colors and cursor movement only on a terminal."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import math
import os
import re
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import IO, Any

from recurra.errors import StorageError
from recurra.formatting import is_unsafe, sanitize
from recurra.system.executable import runnable

MIN_LINE_REDRAW_SECONDS = 0.25
GAP = "  "  # between two columns
MIN_FOLDED_WIDTH = 12  # terminal columns of a first column that is folded
_RATIO = re.compile(r"[a-z]+/[a-z]+")
_WORD = re.compile(r"(?:[^\s`]*`[^`]*`[^\s`]*|\S+)\s*")
STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def is_terminal(stream: IO[str] | None) -> bool:
    """Return True if `stream` is an open terminal; it may also be closed or None."""
    return stream is not None and not stream.closed and stream.isatty()


def can_move(stream: IO[str] | None) -> bool:
    """Return True if `stream` is a terminal that can move its cursor."""
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def has_color(stream: IO[str] | None) -> bool:
    """Return True if `stream` is a terminal with colors, and NO_COLOR (no-color.org) is unset or empty."""
    return can_move(stream) and not os.environ.get("NO_COLOR")


def paint(text: str, style: str, stream: IO[str] | None = None) -> str:
    """Return `text` in one of the `STYLES` if `stream` (default: stderr) has colors."""
    if not has_color(sys.stderr if stream is None else stream):
        return text
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m"


def print_stderr(*lines: str) -> None:
    """Print lines to stderr. Raise nothing, so that a closed terminal does not stop a training."""
    if sys.stderr is None:  # stderr was closed before Python started; `print` would use stdout
        return
    with contextlib.suppress(OSError, ValueError):
        print(*lines, sep="\n", file=sys.stderr, flush=True)


def warn(message: str, hint: str | None = None) -> None:
    """Print a warning and a hint to stderr."""
    print_labeled("warning: ", message, "yellow")
    if hint is not None:
        print_labeled("hint: ", runnable(hint), "bold")


def print_labeled(label: str, message: str, style: str) -> None:
    """Print a message to stderr after a label in a style."""
    print_stderr(wrap(sanitize(message), sys.stderr, label=label, style=style))


class _Notices(logging.Handler):
    """A log handler that prints each record as a line."""

    def emit(self, record: logging.LogRecord) -> None:
        print_stderr(sanitize(record.getMessage()))


@contextlib.contextmanager
def notices(*, quiet: bool) -> Iterator[None]:
    """Print each warning and each log message of this package in one line; print none if `quiet`.

    Print only the errors of Matplotlib: every process would otherwise log the path of its font cache.
    """
    logger, handler = logging.getLogger("recurra"), _Notices()
    drawing = logging.getLogger("matplotlib")
    level, handlers, drawing_level = logger.level, logger.handlers, drawing.level
    logger.setLevel(logging.CRITICAL if quiet else logging.INFO)
    drawing.setLevel(logging.ERROR)
    logger.handlers = [handler]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if quiet else "always", UserWarning)
            warnings.showwarning = lambda message, *_, **__: warn(str(message))
            yield
    finally:
        logger.setLevel(level)
        logger.handlers = handlers
        drawing.setLevel(drawing_level)


def write(data: bytes) -> None:
    """Write data to stdout without buffering.

    BrokenPipeError if the reader closed the pipe, StorageError if stdout is closed or the disk is full.
    """
    if sys.stdout is None or sys.stdout.closed:
        raise StorageError("standard output is closed.")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StorageError(f"cannot write to standard output: {error.strerror or error}.") from error


def encode_for_stdout(text: str) -> bytes:
    """Encode `text` for stdout: in the encoding of the terminal, or in UTF-8 for a file or a pipe."""
    encoding = sys.stdout.encoding if is_terminal(sys.stdout) else "utf-8"
    return text.encode(encoding, "backslashreplace")


def write_text(text: str) -> None:
    """Write `text` to stdout."""
    write(encode_for_stdout(text))


def escape_for_stdout(text: str) -> str:
    """Escape the control characters of `text` if stdout is a terminal."""
    return sanitize(text) if is_terminal(sys.stdout) else text


def write_json(value: Any) -> None:
    """Write one JSON object to stdout in UTF-8, with null for NaN and infinity, which JSON does not have."""
    text = json.dumps(_finite(value), indent=1, ensure_ascii=False, allow_nan=False)
    if is_terminal(sys.stdout):  # it would act on control characters that JSON does not escape
        text = "".join(json.dumps(character)[1:-1] if is_unsafe(character) else character for character in text)
    # JSON allows the escape of a lone surrogate, which a path that is not UTF-8 contains.
    write(text.encode("utf-8", "backslashreplace") + b"\n")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def columns(rows: list[list[str]], *, indent: str = "", stream: IO[str] | None = None) -> list[str]:
    """Format rows as lines with aligned columns.

    If the terminal (`stream`, default: stdout) is too narrow, move the units of the header into a second line, then
    fold the cells of the first column, and at last cut the lines.
    """
    limit = width_of(sys.stdout if stream is None else stream)
    lines = _aligned(rows, indent)
    if limit is None or max(map(_cells, lines)) <= limit:
        return lines
    rows = [*_in_two_lines(rows[0]), *rows[1:]]
    others = max(map(_cells, _aligned([row[1:] for row in rows], "")))
    folded = [_folded_row(row, max(limit - others - len(indent) - len(GAP), MIN_FOLDED_WIDTH)) for row in rows]
    return [_cut(line, limit) for line in _aligned(list(itertools.chain.from_iterable(folded)), indent)]


def _aligned(rows: list[list[str]], indent: str) -> list[str]:
    widths = [max(map(_cells, column)) for column in zip(*rows, strict=True)][:-1]
    padded = ([cell + " " * (width - _cells(cell)) for cell, width in zip(row, widths, strict=False)] for row in rows)
    return [(indent + GAP.join([*cells, row[-1]])).rstrip() for cells, row in zip(padded, rows, strict=True)]


def _in_two_lines(header: list[str]) -> list[list[str]]:
    """Split header cells such as bits/character into two lines, if there are any."""
    parts = [cell.partition("/") if _RATIO.fullmatch(cell) else ("", "", cell) for cell in header]
    first = [name + slash for name, slash, _ in parts]
    return [first, [rest for *_, rest in parts]] if any(first) else [header]


def _folded_row(row: list[str], width: int) -> list[list[str]]:
    """Fold the first cell of a row into lines of `width` terminal columns."""
    name = row[0].lstrip()
    margin = " " * (len(row[0]) - len(name))
    first, *more = [margin + line for line in _lines(name, width - len(margin), chopped=True)]
    return [[first, *row[1:]], *([line, *[""] * (len(row) - 1)] for line in more)]


def _lines(text: str, width: int, *, chopped: bool = False) -> list[str]:
    """Fold text between words into lines of `width` terminal columns; if `chopped`, break longer words too."""
    lines = [""]
    for word in _WORD.findall(text):
        if lines[-1] and _cells(lines[-1] + word.rstrip()) > width:
            lines.append("")
        lines[-1] += word
        while chopped and _cells(lines[-1].rstrip()) > width:
            count = next(n for n in range(len(lines[-1]), 0, -1) if _cells(lines[-1][:n]) <= width)
            lines[-1:] = [lines[-1][:count], lines[-1][count:]]
    return [line.rstrip() for line in lines]


def _cut(line: str, width: int) -> str:
    """Cut a line to `width` terminal columns and mark the cut with an ellipsis."""
    if _cells(line) <= width:
        return line
    while _cells(line) >= width:
        line = line[:-1]
    return line + "…"


def _cells(text: str) -> int:
    """Return the number of terminal columns that `text` takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # imported late, so that help is fast

    return cell_len(text)


def width_of(stream: IO[str] | None) -> int | None:
    """Return the width of `stream` in columns; None if it is not a terminal."""
    return shutil.get_terminal_size().columns if is_terminal(stream) else None


def wrap(text: str, stream: IO[str] | None, *, label: str = "", style: str | None = None) -> str:
    """Return `text` after a `label` in a `style`, folded between words to the width of the terminal `stream`.

    Indent later lines by the width of the label. Never break text in backquotes, because it may be a command.
    """
    name = label.rstrip()
    styled = label if style is None else paint(name, style, stream) + label[len(name) :]
    limit = width_of(stream)
    if limit is None or _cells(label + text) <= limit:
        return styled + text
    margin = _cells(label)
    return styled + f"\n{' ' * margin}".join(_lines(text, limit - margin))


def redraw(words: str) -> None:
    """Replace the last line of stderr by `words`, cut to the width of the terminal; do nothing for a file or a pipe.

    Raise nothing if the terminal is closed, so that the work continues.
    """
    if can_move(sys.stderr):
        limit = width_of(sys.stderr)
        with contextlib.suppress(OSError):
            sys.stderr.write(f"\r\x1b[K{words if limit is None else _cut(words, limit - 1)}")
            sys.stderr.flush()


@contextlib.contextmanager
def progress(noun: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows the completed percentage and the total of `noun` in place; remove it at the end."""
    due = 0.0

    def show(done: int, total: int) -> None:
        nonlocal due
        if (now := time.monotonic()) >= due:
            redraw(f"{100 * done // max(total, 1)} % of {total:,} {noun}")
            due = now + MIN_LINE_REDRAW_SECONDS

    try:
        yield show
    finally:
        redraw("")


def await_input(noun: str) -> None:
    """Print that the command reads `noun` from the terminal, if standard input is one."""
    if is_terminal(sys.stdin):
        print_stderr(f"reading {noun} from the terminal; press Ctrl-D at the end.")

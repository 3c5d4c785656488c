"""What is printed where: data on stdout, words on stderr, colors and escapes only where a terminal shows them."""

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

LINE_REDRAW_SECONDS = 0.25  # seconds, at least, between two showings of progress
GAP = "  "  # between two columns
NARROWEST = 12  # cells of a first column that is folded
_RATIO = re.compile(r"[a-z]+/[a-z]+")
_WORD = re.compile(r"(?:[^\s`]*`[^`]*`[^\s`]*|\S+)\s*")
STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether a person looks at `stream`; it may be closed, or absent."""
    return stream is not None and not stream.closed and stream.isatty()


def can_move(stream: IO[str] | None) -> bool:
    """Whether `stream` is a terminal that understands more than plain lines."""
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def has_color(stream: IO[str] | None) -> bool:
    """Whether colors are welcome on `stream`: a terminal, and NO_COLOR (no-color.org) is unset or empty."""
    return can_move(stream) and not os.environ.get("NO_COLOR")


def paint(text: str, style: str, stream: IO[str] | None = None) -> str:
    """`text` in one of `STYLES` if `stream` (else stderr) shows colors."""
    if not has_color(sys.stderr if stream is None else stream):
        return text
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m"


def print_stderr(*lines: str) -> None:
    """Lines for the person, on stderr. A reader who has gone away must not stop a training: nothing is raised."""
    if sys.stderr is None:  # closed before Python began; `print` would take stdout
        return
    with contextlib.suppress(OSError, ValueError):
        print(*lines, sep="\n", file=sys.stderr, flush=True)


def warn(message: str, hint: str | None = None) -> None:
    """A warning for the person, on stderr, and what to do about it."""
    print_labeled("warning: ", message, "yellow")
    if hint is not None:
        print_labeled("hint: ", runnable(hint), "bold")


def print_labeled(label: str, message: str, style: str) -> None:
    """A message for the person, on stderr, after a label in a style."""
    print_stderr(wrap(sanitize(message), sys.stderr, label=label, style=style))


class _Notices(logging.Handler):
    """Prints each record of a logger as a line."""

    def emit(self, record: logging.LogRecord) -> None:
        print_stderr(sanitize(record.getMessage()))


@contextlib.contextmanager
def notices(*, quiet: bool) -> Iterator[None]:
    """Print each warning, and each message that this package logs, in one line; none if `quiet`.

    Of Matplotlib's messages only errors are printed: it reports where its own cache lies in every process.
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
    """Data, on stdout, at once. BrokenPipeError where the reader has gone, StorageError where there is no room."""
    if sys.stdout is None or sys.stdout.closed:
        raise StorageError("standard output is closed: there is nowhere to write.")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StorageError(f"cannot write to standard output: {error.strerror or error}.") from error


def encode_for_stdout(text: str) -> bytes:
    """`text` as stdout takes it: in a terminal's own encoding, for a program always UTF-8."""
    encoding = sys.stdout.encoding if is_terminal(sys.stdout) else "utf-8"
    return text.encode(encoding, "backslashreplace")


def write_text(text: str) -> None:
    """`text` on stdout."""
    write(encode_for_stdout(text))


def escape_for_stdout(text: str) -> str:
    """A name as stdout takes it: inert on a terminal, for a program as it is."""
    return sanitize(text) if is_terminal(sys.stdout) else text


def write_json(value: Any) -> None:
    """One JSON object on stdout, UTF-8. What is no finite number is null, since JSON has no NaN."""
    text = json.dumps(_finite(value), indent=1, ensure_ascii=False, allow_nan=False)
    if is_terminal(sys.stdout):  # which would obey some of the characters that JSON does not escape
        text = "".join(json.dumps(character)[1:-1] if is_unsafe(character) else character for character in text)
    # In a JSON string the escape of a lone surrogate (from a path that is no UTF-8) is valid as it stands.
    write(text.encode("utf-8", "backslashreplace") + b"\n")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def columns(rows: list[list[str]], *, indent: str = "", stream: IO[str] | None = None) -> list[str]:
    """The rows as lines, each column as wide as its widest cell; the last one is left as it is.

    On a terminal (`stream`, else stdout) that is narrower, the units in the first row get a line of their own, then
    first cells are folded, and at last the lines are cut.
    """
    limit = width_of(sys.stdout if stream is None else stream)
    lines = _aligned(rows, indent)
    if limit is None or max(map(_cells, lines)) <= limit:
        return lines
    rows = [*_in_two_lines(rows[0]), *rows[1:]]
    others = max(map(_cells, _aligned([row[1:] for row in rows], "")))
    folded = [_folded_row(row, max(limit - others - len(indent) - len(GAP), NARROWEST)) for row in rows]
    return [_cut(line, limit) for line in _aligned(list(itertools.chain.from_iterable(folded)), indent)]


def _aligned(rows: list[list[str]], indent: str) -> list[str]:
    widths = [max(map(_cells, column)) for column in zip(*rows, strict=True)][:-1]
    padded = ([cell + " " * (width - _cells(cell)) for cell, width in zip(row, widths, strict=False)] for row in rows)
    return [(indent + GAP.join([*cells, row[-1]])).rstrip() for cells, row in zip(padded, rows, strict=True)]


def _in_two_lines(header: list[str]) -> list[list[str]]:
    """The header with bits/character and the like in two lines, if it has such a cell."""
    parts = [cell.partition("/") if _RATIO.fullmatch(cell) else ("", "", cell) for cell in header]
    first = [name + slash for name, slash, _ in parts]
    return [first, [rest for *_, rest in parts]] if any(first) else [header]


def _folded_row(row: list[str], width: int) -> list[list[str]]:
    """The row with its first cell in as many lines as it needs."""
    name = row[0].lstrip()
    margin = " " * (len(row[0]) - len(name))
    first, *more = [margin + line for line in _lines(name, width - len(margin), chopped=True)]
    return [[first, *row[1:]], *([line, *[""] * (len(row) - 1)] for line in more)]


def _lines(text: str, width: int, *, chopped: bool = False) -> list[str]:
    """The text in lines of `width` cells, cut between words; longer words are too long, or are `chopped`."""
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
    """The line in `width` cells, with a sign where it was cut."""
    if _cells(line) <= width:
        return line
    while _cells(line) >= width:
        line = line[:-1]
    return line + "…"


def _cells(text: str) -> int:
    """Return the number of terminal columns that `text` takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # not needed for help, which must be quick

    return cell_len(text)


def width_of(stream: IO[str] | None) -> int | None:
    """The columns of the terminal that `stream` is; None where it is none."""
    return shutil.get_terminal_size().columns if is_terminal(stream) else None


def wrap(text: str, stream: IO[str] | None, *, label: str = "", style: str | None = None) -> str:
    """`text` after a `label` in a `style`, in lines that fit the terminal that `stream` is, cut between words.

    Later lines are indented as far as the label. What stands in backquotes is left whole: it may be a command.
    """
    name = label.rstrip()
    shown = label if style is None else paint(name, style, stream) + label[len(name) :]
    limit = width_of(stream)
    if limit is None or _cells(label + text) <= limit:
        return shown + text
    margin = _cells(label)
    return shown + f"\n{' ' * margin}".join(_lines(text, limit - margin))


def redraw(words: str) -> None:
    """Put `words` in place of the last line on stderr, cut to its width, if stderr is a terminal that can move.

    Nothing is raised if the terminal has gone: the work goes on.
    """
    if can_move(sys.stderr):
        limit = width_of(sys.stderr)
        with contextlib.suppress(OSError):
            sys.stderr.write(f"\r\x1b[K{words if limit is None else _cut(words, limit - 1)}")
            sys.stderr.flush()


@contextlib.contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A function that shows how many of all things are done, in place on a terminal; nothing of it stays."""
    due = 0.0

    def show(done: int, all_of_them: int) -> None:
        nonlocal due
        if (now := time.monotonic()) >= due:
            redraw(f"{what}: {100 * done // max(all_of_them, 1)} % of {all_of_them:,}")
            due = now + LINE_REDRAW_SECONDS

    try:
        yield show
    finally:
        redraw("")


def await_input(what: str) -> None:
    """Tell the person at a terminal that `what` is to be typed."""
    if is_terminal(sys.stdin):
        print_stderr(f"reading {what} from the terminal; Ctrl-D ends it.")

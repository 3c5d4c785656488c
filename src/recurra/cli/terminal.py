"""What is printed where: data on stdout, words on stderr, colours and escapes only where a terminal shows them."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import IO, Any

from recurra.errors import StorageError
from recurra.inert import inert, is_unsafe

REDRAW = 0.25  # seconds, at least, between two showings of progress
STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether a person looks at `stream`; it may be closed, or absent."""
    return stream is not None and not stream.closed and stream.isatty()


def can_move(stream: IO[str] | None) -> bool:
    """Whether `stream` is a terminal that understands more than plain lines."""
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def has_colour(stream: IO[str] | None) -> bool:
    """Whether colours are welcome on `stream`: a terminal, and NO_COLOR (no-color.org) is unset or empty."""
    return can_move(stream) and not os.environ.get("NO_COLOR")


def paint(text: str, style: str, stream: IO[str] | None = None) -> str:
    """`text` in one of `STYLES` if `stream` (else stderr) shows colours."""
    if not has_colour(sys.stderr if stream is None else stream):
        return text
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m"


def say(*lines: str) -> None:
    """Lines for the person, on stderr. A reader who has gone away must not stop a training: nothing is raised."""
    if sys.stderr is None:  # closed before Python began; `print` would take stdout
        return
    with contextlib.suppress(OSError, ValueError):
        print(*lines, sep="\n", file=sys.stderr, flush=True)


def warn(message: str, hint: str | None = None) -> None:
    """A warning for the person, on stderr, and what to do about it."""
    say(f"{paint('warning:', 'yellow')} {inert(message)}")
    if hint is not None:
        say(f"{paint('hint:', 'bold')} {inert(hint)}")


@contextlib.contextmanager
def warnings_said(*, quiet: bool) -> Iterator[None]:
    """Have warnings said in one line each, or not at all where it is to be `quiet`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if quiet else "always", UserWarning)
        warnings.showwarning = lambda message, *_, **__: warn(str(message))
        yield


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


def encoded(text: str) -> bytes:
    """`text` as stdout takes it: in a terminal's own encoding, for a program always UTF-8."""
    encoding = sys.stdout.encoding if is_terminal(sys.stdout) else "utf-8"
    return text.encode(encoding, "backslashreplace")


def write_text(text: str) -> None:
    """`text` on stdout."""
    write(encoded(text))


def shown(text: str) -> str:
    """A name as stdout takes it: inert on a terminal, for a program as it is."""
    return inert(text) if is_terminal(sys.stdout) else text


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


def columns(rows: list[list[str]], *, indent: str = "") -> list[str]:
    """The rows as lines, each column as wide as its widest cell; the last one is left as it is."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    return [
        indent + "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]


def redraw(words: str) -> None:
    """Put the words on stderr in place of what was drawn there, where that is a terminal that can."""
    if can_move(sys.stderr):
        with contextlib.suppress(OSError):  # the terminal is gone; the work goes on
            sys.stderr.write(f"\r\x1b[K{words}")
            sys.stderr.flush()


@contextlib.contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A function that shows how many of all things are done, in place on a terminal; nothing of it stays."""
    due = 0.0

    def show(done: int, all_of_them: int) -> None:
        nonlocal due
        if (now := time.monotonic()) >= due:
            redraw(f"{what}: {100 * done // max(all_of_them, 1)} % of {all_of_them:,}")
            due = now + REDRAW

    try:
        yield show
    finally:
        redraw("")


def await_input(what: str) -> None:
    """Tell the person at a terminal that `what` is to be typed."""
    if is_terminal(sys.stdin):
        say(f"reading {what} from the terminal; Ctrl-D ends it.")

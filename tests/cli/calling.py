"""What the tests of the commands share."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Callable
from typing import NamedTuple


class Called(NamedTuple):
    """What a command gave back."""

    code: int
    out: str
    err: str


Call = Callable[..., Called]


def on_a_terminal(line: list[str], environment: dict[str, str]) -> tuple[int, bytes]:
    """The exit code of `line`, run on a terminal of 100 columns, and all that it wrote there."""
    process, handle = pty.fork()
    if process == 0:  # pragma: no cover - the child becomes the command
        os.execve(line[0], line, environment)  # noqa: S606 - no shell is what is wanted
    fcntl.ioctl(handle, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    written = b""
    while True:
        try:
            piece = os.read(handle, 65536)
        except OSError:  # Linux says so when the child has ended
            piece = b""
        if not piece:
            break
        written += piece
    os.close(handle)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), written

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


def on_a_terminal(
    line: list[str], environment: dict[str, str], answers: tuple[tuple[bytes, bytes], ...] = ()
) -> tuple[int, bytes]:
    """The exit code of `line`, run on a terminal of 100 columns, and all that it wrote there.

    Of `answers` each is typed once its cue has appeared after what was typed before.
    """
    process, handle = pty.fork()
    if process == 0:  # pragma: no cover - the child becomes the command
        os.execve(line[0], line, environment)  # noqa: S606 - no shell is what is wanted
    fcntl.ioctl(handle, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    written, waiting, seen, status = b"", list(answers), 0, 0
    try:
        while True:
            if waiting and (at := written.find(waiting[0][0], seen)) >= 0:
                seen = at + len(waiting[0][0])
                os.write(handle, waiting.pop(0)[1])
            try:
                piece = os.read(handle, 65536)
            except OSError:  # Linux says so when the child has ended
                piece = b""
            if not piece:
                break
            written += piece
    finally:
        os.close(handle)  # a child that still runs gets a hangup
        status = os.waitpid(process, 0)[1]
    return os.waitstatus_to_exitcode(status), written

"""Calls of commands in tests, in this process or on a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Callable
from typing import NamedTuple


class Called(NamedTuple):
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str


Call = Callable[..., Called]


def on_a_terminal(
    line: list[str], environment: dict[str, str], answers: tuple[tuple[bytes, bytes], ...] = ()
) -> tuple[int, bytes]:
    """Run `line` on a terminal of 100 columns; return its exit code and everything that it wrote.

    Each of `answers` is a pair (prompt, reply): the reply is typed when the prompt appears after the previous reply.
    """
    process, handle = pty.fork()
    if process == 0:  # pragma: no cover - the child becomes the command
        os.execve(line[0], line, environment)  # noqa: S606 - without a shell
    fcntl.ioctl(handle, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    written, waiting, seen, status = b"", list(answers), 0, 0
    try:
        while True:
            if waiting and (at := written.find(waiting[0][0], seen)) >= 0:
                seen = at + len(waiting[0][0])
                os.write(handle, waiting.pop(0)[1])
            try:
                piece = os.read(handle, 65536)
            except OSError:  # on Linux, the child has ended
                piece = b""
            if not piece:
                break
            written += piece
    finally:
        os.close(handle)  # a running child gets SIGHUP
        status = os.waitpid(process, 0)[1]
    return os.waitstatus_to_exitcode(status), written

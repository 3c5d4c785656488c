"""Processes and threads of tests: each is waited for, and only one that hangs meets a time limit."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PATIENCE = 600  # seconds; a guard against a hang, which the slowest machine does not reach
SOURCE = Path(__file__).parents[2] / "src"
RECURRA = [sys.executable, "-m", "recurra"]


def environment(**changes: str) -> dict[str, str]:
    """The environment of a process that imports this checkout."""
    return os.environ | {"PYTHONPATH": str(SOURCE)} | changes


@contextmanager
def started(line: Sequence[str | Path], **named: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a process; at the end of the block it is killed if it still runs, and waited for."""
    settings: dict[str, Any] = {"env": environment(), "text": True}
    with subprocess.Popen(line, **settings | named) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a process; return its exit code and what it wrote to stderr meanwhile."""
    _, written = process.communicate(timeout=PATIENCE)
    return process.returncode, written


@contextmanager
def filled_pipe(path: Path, data: bytes) -> Iterator[None]:
    """Make a named pipe, into which a thread writes `data` while the block reads; the thread ends with the block."""
    os.mkfifo(path)

    def write() -> None:
        with suppress(BrokenPipeError), open(path, "wb") as pipe:  # noqa: PTH123 - a pipe
            pipe.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        rest = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # of what the block has not read, if it failed
        while writer.is_alive():
            with suppress(BlockingIOError):
                os.read(rest, 1 << 16)
            writer.join(0.01)
        os.close(rest)

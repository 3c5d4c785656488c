"""Start processes and threads in tests, and wait for their end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PATIENCE = 600  # seconds until a test that hangs is ended; far more than a slow machine needs
SOURCE = Path(__file__).parents[2] / "src"
RECURRA = [sys.executable, "-m", "recurra"]


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of a process that imports this checkout."""
    return os.environ | {"PYTHONPATH": str(SOURCE)} | changes


@contextmanager
def started(line: Sequence[str | Path], **named: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a process; at the end of the block, kill it if it still runs, and wait for its end."""
    settings: dict[str, Any] = {"env": environment(), "text": True}
    with subprocess.Popen(line, **settings | named) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end of a process; return its exit code and its remaining stderr."""
    _, written = process.communicate(timeout=PATIENCE)
    return process.returncode, written


@contextmanager
def filled_pipe(path: Path, data: bytes) -> Iterator[None]:
    """Create a named pipe, and write `data` to it in a thread while the block reads; end the thread with the block."""
    os.mkfifo(path)

    def write() -> None:
        with suppress(BrokenPipeError), open(path, "wb") as pipe:  # noqa: PTH123 - a pipe
            pipe.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        rest = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # drains the pipe if the block has not read everything
        while writer.is_alive():
            with suppress(BlockingIOError):
                os.read(rest, 1 << 16)
            writer.join(0.01)
        os.close(rest)

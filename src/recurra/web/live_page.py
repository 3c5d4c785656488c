"""Start the live page of a training (`--live`) in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
PORTS = (8000, 0)  # the usual port, or any free one
END_TIMEOUT_SECONDS = 5
OWN_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # for Windows; other systems use a new session


def require_servable(port: int | None, names: Sequence[str]) -> None:
    """Raise UsageError if `names` are not valid host names, RecurraError if a server cannot listen at `port`."""
    from recurra.serving.access import require_guarded
    from recurra.serving.listening import bind

    require_guarded(HOST, tuple(names), None)
    if port is not None:
        bind(HOST, port).close()


class Page:
    """The process that serves the live page during a training. It ends with the block, or with this process.

    port    the port; None for port 8000, or any free port if 8000 is in use
    names   host names that the server accepts, besides those of this machine
    """

    def __init__(self, port: int | None = None, names: Sequence[str] = ()) -> None:
        self._ports = PORTS if port is None else (port,)
        self._names = names
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def open(self, folder: Path) -> str | None:
        """Serve the page of the run in `folder`; return its address, or None if the server does not start.

        Ctrl-C and the hangup of a terminal reach only the training: the page runs until everything is saved.
        """
        ports = ",".join(map(str, self._ports))
        line = [sys.executable, "-m", "recurra.web.live_process", str(folder), ports, *self._names]
        self._process = subprocess.Popen(  # noqa: S603 - this Python, a module of the package, a directory, ports and names
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            creationflags=OWN_GROUP,
        )
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        return self._process.stdout.readline().strip() or None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        with self._process as process:  # the block waits for the end of the process, even after an error
            try:
                process.communicate(timeout=END_TIMEOUT_SECONDS)  # closes its standard input, which ends the process
            except subprocess.TimeoutExpired:
                pass
            finally:
                process.kill()

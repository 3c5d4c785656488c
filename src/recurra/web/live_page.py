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
OWN_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # on Windows what a new session is elsewhere


def require_servable(port: int | None, names: Sequence[str]) -> None:
    """Raise UsageError unless `names` are names of a host, and RecurraError unless a server can listen at `port`."""
    from recurra.serving.access import require_guarded
    from recurra.serving.listening import bind

    require_guarded(HOST, tuple(names), None)
    if port is not None:
        bind(HOST, port).close()


class Page:
    """The process that serves the page while this one trains. It ends with the block, or with this process.

    port    its port; None for the usual one, or any free one if that is taken
    names   names that browsers call it by, besides those of this machine
    """

    def __init__(self, port: int | None = None, names: Sequence[str] = ()) -> None:
        self._ports = PORTS if port is None else (port,)
        self._names = names
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def open(self, folder: Path) -> str | None:
        """Serve the page of the run in `folder`; return its address, or None if no server has come up.

        Ctrl-C and the hangup of a terminal reach the training alone: the page stays until all is saved.
        """
        ports = ",".join(map(str, self._ports))
        line = [sys.executable, "-m", "recurra.web.live_process", str(folder), ports, *self._names]
        self._process = subprocess.Popen(  # noqa: S603 - this Python, a module of ours, a folder, ports and names
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            creationflags=OWN_GROUP,
        )
        assert self._process.stdout is not None  # noqa: S101 - asked for
        return self._process.stdout.readline().strip() or None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        with self._process as process:  # which waits for its end, whatever happens here
            try:
                process.communicate(timeout=END_TIMEOUT_SECONDS)  # closes its standard input, which asks it to end
            except subprocess.TimeoutExpired:
                pass
            finally:
                process.kill()

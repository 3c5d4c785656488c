"""The live page of one training, in a process of its own: `python -m recurra.web.live_process FOLDER PORTS [NAME …]`.

The training process starts it (`recurra train --live`) and holds the other end of its standard input. When that end
closes, for any reason, the server ends too. The server has a lower priority and reads the files of the run; the
training does not wait for it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from recurra.errors import RecurraError
from recurra.runs.layout import REPORT
from recurra.serving import common_routes
from recurra.serving.access import access
from recurra.serving.application import create_application
from recurra.serving.limits import Limits
from recurra.serving.listening import bind, url
from recurra.serving.registry import LiveRun, Registry, name_of
from recurra.serving.security import OPEN_PATHS
from recurra.serving.server import serve
from recurra.system.executable import program
from recurra.system.shell import path_argument
from recurra.web import page_routes as page

HOST = "127.0.0.1"
NICENESS = 19  # the lowest priority, so that the training runs first
LIMITS = Limits(drain_seconds=0.3, end_seconds=4)  # in all less than `live_page.END_TIMEOUT_SECONDS`


class LiveTraining(Registry):
    """The registry of a live page: the run of the training, and no models."""

    def __init__(self, folder: Path) -> None:
        super().__init__([])
        self._folder = folder

    @property
    def runs(self) -> dict[str, Path]:
        """The run directory of the training, by name."""
        return {name_of(self._folder): self._folder}

    @property
    def live(self) -> LiveRun:
        """The path and the commands that the page shows at the end of the training."""
        folder, command = path_argument(self._folder), program()
        return LiveRun(
            report=str(self._folder / REPORT),
            resume=f"{command} train --resume --run {folder}",
            serve=f"{command} serve {folder}",
        )


def main(folder: Path, ports: Sequence[int], names: Sequence[str] = ()) -> None:
    """Serve the page of the run in `folder` at the first free port of `ports`; print the address to stdout."""
    listening = None
    for port in ports[:-1]:
        with contextlib.suppress(RecurraError):
            listening = bind(HOST, port)
            break
    if listening is None:
        listening = bind(HOST, ports[-1])
    bound = listening.getsockname()[1]
    routers = (common_routes.router, page.router)
    callers = access(HOST, bound, names=tuple(names))
    open_paths = OPEN_PATHS | page.OPEN_PAGE_PATHS
    guard = create_application(LiveTraining(folder), callers, LIMITS, routers=routers, open_paths=open_paths)
    threading.Thread(target=_end_with_the_training, daemon=True).start()

    def started() -> None:
        """Print the address, for which the training waits; then lower the priority."""
        print(url(HOST, bound), flush=True)
        _lower_priority()

    serve(guard, listening, started)


def _lower_priority() -> None:
    """Give the training precedence. On Windows, which has no `nice`, the two processes have equal priority."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)


def _end_with_the_training() -> None:
    """Stop the server when the other end of standard input closes; end the process if the stop takes long.

    No data is lost if a thread is still computing baselines for a page.
    """
    while os.read(0, 4096):
        continue
    signal.raise_signal(signal.SIGTERM)  # `os.kill` would end the process at once on Windows
    time.sleep(LIMITS.drain_seconds + LIMITS.end_seconds)
    os._exit(1)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), [int(port) for port in sys.argv[2].split(",")], sys.argv[3:])
    except RecurraError:
        sys.exit(1)

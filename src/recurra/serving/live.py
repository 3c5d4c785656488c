"""The live page of one training, in a process of its own: `python -m recurra.serving.live FOLDER PORT`.

The process that trains starts it (`recurra train --live`) and holds the other end of its standard input: where that
ends, by whatever end the training has come to, the server ends too. It runs at a lower priority, reads the files of the
run, and is waited for by nobody.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from recurra.errors import RecurraError
from recurra.serving import catalogue, session
from recurra.serving.access import access
from recurra.serving.application import create_application
from recurra.serving.limits import Limits
from recurra.serving.page import routes as page
from recurra.serving.registry import Registry, name_of
from recurra.serving.server import bind, serve, url

HOST = "127.0.0.1"
LESS_URGENT = 19  # of nice: the training goes first
DRAIN = 0.3  # seconds: the training waits for its end


class Training(Registry):
    """A run that has no model yet: none is served, the page alone."""

    def __init__(self, folder: Path) -> None:
        super().__init__([])
        self._folder = folder

    @property
    def runs(self) -> dict[str, Path]:
        """The folder, by its name."""
        return {name_of(self._folder): self._folder}


def main(folder: Path, port: int) -> None:
    """Serve the page of the run in `folder` at `port`, or any other that is free, and write the address to stdout."""
    os.nice(LESS_URGENT)
    try:
        listening = bind(HOST, port)
    except RecurraError:
        listening = bind(HOST, 0)
    bound = listening.getsockname()[1]
    routers = (catalogue.router, session.router, page.router)
    guard = create_application(Training(folder), access(HOST, bound), Limits(drain_time=DRAIN), routers=routers)
    threading.Thread(target=_end_with_the_training, daemon=True).start()
    serve(guard, listening, lambda: print(url(HOST, bound), flush=True))


def _end_with_the_training() -> None:
    """Ask this process to stop once the other end of its standard input is gone."""
    while os.read(0, 4096):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the training, which ends this
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]))
    except RecurraError:
        sys.exit(1)

"""The server: a socket, the application, and an end that comes when it is asked for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn

from recurra.errors import Interrupted
from recurra.serving.limits import Limits
from recurra.serving.protocol import connection_class
from recurra.serving.security import Guard
from recurra.system.signals import handled_by

CANCELLED = f"{asyncio.CancelledError.__module__}.{asyncio.CancelledError.__qualname__}"


class Server(uvicorn.Server):
    """uvicorn, which tells when it listens and lets what streams know that it stops.

    `received` are the signals that have asked it to stop; a second one does not wait.
    """

    def __init__(self, guard: Guard, on_start: Callable[[], None]) -> None:
        self.guard, self._on_start = guard, on_start
        self.received: list[int] = []
        self.failure: Exception | None = None
        limits: Limits = guard.limits
        super().__init__(
            uvicorn.Config(
                guard,
                http=connection_class(limits),
                ws="none",
                loop="asyncio",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=limits.idle_time,
                timeout_graceful_shutdown=int(limits.drain_time) + limits.end_time,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        try:
            if not self.should_exit:
                self._on_start()
        except Exception as error:  # nobody can be told the address: stop in order, and raise it then
            self.failure, self.should_exit = error, True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nothing new; what is under way has `drain_time` to end."""
        services = self.guard.application.state.services  # type: ignore[attr-defined]  # a FastAPI
        breaking = asyncio.get_running_loop().call_later(self.guard.limits.drain_time, services.stopping.set)
        try:
            await super().shutdown(sockets)
        finally:
            breaking.cancel()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop in order at a signal, where this is the main thread."""
        with handled_by(self.handle_exit):
            yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a handler's signature
        """The first signal asks it to stop, the second makes it."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self.received.append(sig)


def serve(guard: Guard, listening: socket.socket, on_start: Callable[[], None]) -> None:
    """Serve until a signal comes; then Interrupted, once what was under way has ended."""
    logging.getLogger("uvicorn.error").addFilter(_is_failure)
    server = Server(guard, on_start)
    server.run([listening])
    if server.failure is not None:
        raise server.failure
    if server.received:
        name = signal.Signals(server.received[0]).name
        raise Interrupted(f"stopped by {name}.", signal=server.received[0])


def _is_failure(record: logging.LogRecord) -> bool:
    """Whether a message is one for the person: what clients do wrong is not, nor what a stop has broken off."""
    broken_off = record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError)
    told = record.getMessage().rstrip().endswith(CANCELLED)  # as the lifespan tells it: a traceback in words
    return record.levelno >= logging.ERROR and not broken_off and not told

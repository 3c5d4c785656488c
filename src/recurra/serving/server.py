"""The server process: uvicorn with the application, and a graceful shutdown at a signal."""

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
from recurra.serving.connection import connection_class
from recurra.serving.limits import Limits
from recurra.serving.security import Guard
from recurra.system.signals import handled_by

CANCELLED = f"{asyncio.CancelledError.__module__}.{asyncio.CancelledError.__qualname__}"


class Server(uvicorn.Server):
    """uvicorn's server. It calls `on_start` when it listens; at shutdown, `Services.stopping` ends the streams.

    `received` lists the stop signals so far. The second signal stops the server at once.
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
                timeout_keep_alive=limits.idle_seconds,
                timeout_graceful_shutdown=int(limits.drain_seconds) + limits.end_seconds,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and call `on_start`."""
        await super().startup(sockets)
        try:
            if not self.should_exit:
                self._on_start()
        except Exception as error:  # the callback could not print the address: shut down, then raise the error
            self.failure, self.should_exit = error, True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no new request; cancel the requests that are not complete after `drain_seconds`."""
        services = self.guard.application.state.services  # type: ignore[attr-defined]  # a FastAPI
        closing = asyncio.get_running_loop().call_later(self.guard.limits.drain_seconds, services.stopping.set)
        try:
            await super().shutdown(sockets)
        finally:
            closing.cancel()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Shut down gracefully at a signal, if this is the main thread."""
        with handled_by(self.handle_exit):
            yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a handler's signature
        """Shut down gracefully at the first signal, and at once at the second."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self.received.append(sig)


def serve(guard: Guard, listening: socket.socket, on_start: Callable[[], None]) -> None:
    """Serve until a signal arrives; raise Interrupted after the requests in progress have ended."""
    logging.getLogger("uvicorn.error").addFilter(_is_failure)
    server = Server(guard, on_start)
    server.run([listening])
    if server.failure is not None:
        raise server.failure
    if server.received:
        name = signal.Signals(server.received[0]).name
        raise Interrupted(f"stopped by {name}.", signal=server.received[0])


def _is_failure(record: logging.LogRecord) -> bool:
    """Return True if a log record reports a failure of the server, not a client's error or a canceled request."""
    is_canceled = record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError)
    is_canceled_lifespan = record.getMessage().rstrip().endswith(CANCELLED)  # the lifespan logs its traceback as text
    return record.levelno >= logging.ERROR and not is_canceled and not is_canceled_lifespan

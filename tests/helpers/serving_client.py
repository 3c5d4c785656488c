"""Send requests to a server in tests: through ASGI in this process, or through raw sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Coroutine
from typing import Any, NamedTuple

import httpx

from processes import PATIENCE, ended
from recurra.engines.kernels.compilation import COMPILING

HOST = "127.0.0.1:8000"


class Answer(NamedTuple):
    """The status, the headers with lower-case names, and the body of a response."""

    status: int
    headers: dict[str, str]
    body: bytes


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a new event loop and return its result."""
    return asyncio.run(work)


async def ask(application: Any, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b"") -> Answer:
    """Send one request as an ASGI scope, which can have any headers in any number."""
    messages: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        messages.append(dict(message))

    await application(scope, receive, send)
    start = messages[0]
    named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], named, b"".join(part.get("body", b"") for part in messages[1:]))


@contextlib.asynccontextmanager
async def client(guard: Any, **named: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Start the application in this process, and yield a client on the same event loop."""
    transport = httpx.ASGITransport(guard, raise_app_exceptions=False)
    async with (
        guard.application.router.lifespan_context(guard.application),
        httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}", timeout=PATIENCE, **named) as one,
    ):
        yield one


def call(guard: Any, method: str, path: str, **named: Any) -> httpx.Response:
    """Send one request in this process and return the response."""

    async def work() -> httpx.Response:
        async with client(guard) as one:
            return await one.request(method, path, **named)

    response: httpx.Response = run(work())
    return response


class Running(NamedTuple):
    """The process of a running server, and its address."""

    process: subprocess.Popen[str]
    url: str

    @property
    def host(self) -> str:
        """Return the value of the header Host."""
        return self.url.removeprefix("http://")

    @property
    def port(self) -> int:
        """Return the port of the server."""
        return int(self.url.rpartition(":")[2])

    def connect(self) -> socket.socket:
        """Return a new connection to the server."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def raw(self, data: bytes) -> bytes:
        """Send `data` and return all bytes until the server closes the connection."""
        with self.connect() as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            return rest_of(connection)

    def stop(self) -> tuple[int, str]:
        """Stop the server with SIGTERM; return its exit code and its remaining stderr."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.ended()

    def ended(self) -> tuple[int, str]:
        """Wait for the end of the server; return its exit code and its remaining stderr."""
        code, stderr = ended(self.process)
        return code, stderr.replace(f"{COMPILING}\n", "")  # the first server on a machine compiles


def rest_of(connection: socket.socket) -> bytes:
    """Return all bytes until the other side closes the connection."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def request(host: str, target: str = "/health", *, method: str = "GET", version: str = "1.1", extra: str = "") -> bytes:
    """Return the bytes of a request."""
    return f"{method} {target} HTTP/{version}\r\nHost: {host}\r\n{extra}Connection: close\r\n\r\n".encode("latin-1")


def await_until(true: Any) -> None:
    """Wait until `true()` returns True."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "the condition did not become true"
        time.sleep(0.02)

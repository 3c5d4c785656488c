"""How the tests talk to a server: through ASGI in this process, and through raw sockets."""

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
    """Status, headers with lower-case names, body."""

    status: int
    headers: dict[str, str]
    body: bytes


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to its end in an event loop of its own."""
    return asyncio.run(work)


async def ask(application: Any, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b"") -> Answer:
    """One request as a scope, so that any header can be had, in any number."""
    found: list[dict[str, Any]] = []
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
        found.append(dict(message))

    await application(scope, receive, send)
    start = found[0]
    named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], named, b"".join(part.get("body", b"") for part in found[1:]))


@contextlib.asynccontextmanager
async def client(guard: Any, **named: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application in this process, which lives as long, on the same event loop."""
    transport = httpx.ASGITransport(guard, raise_app_exceptions=False)
    async with (
        guard.application.router.lifespan_context(guard.application),
        httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}", timeout=PATIENCE, **named) as one,
    ):
        yield one


def call(guard: Any, method: str, path: str, **named: Any) -> httpx.Response:
    """One request in this process."""

    async def work() -> httpx.Response:
        async with client(guard) as one:
            return await one.request(method, path, **named)

    found: httpx.Response = run(work())
    return found


class Running(NamedTuple):
    """A server that runs as a process, and its address."""

    process: subprocess.Popen[str]
    url: str

    @property
    def host(self) -> str:
        """What the header Host says of it."""
        return self.url.removeprefix("http://")

    @property
    def port(self) -> int:
        """Its port."""
        return int(self.url.rpartition(":")[2])

    def connect(self) -> socket.socket:
        """A connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def raw(self, data: bytes) -> bytes:
        """All that it answers to these bytes until it closes the connection."""
        with self.connect() as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            return rest_of(connection)

    def stop(self) -> tuple[int, str]:
        """Ask it to stop: its exit code and what it had said."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.ended()

    def ended(self) -> tuple[int, str]:
        """Its exit code and what it has said, once it has ended."""
        code, said = ended(self.process)
        return code, said.replace(f"{COMPILING}\n", "")  # of the first server on a machine


def rest_of(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def request(host: str, target: str = "/health", *, method: str = "GET", version: str = "1.1", extra: str = "") -> bytes:
    """A request in bytes."""
    return f"{method} {target} HTTP/{version}\r\nHost: {host}\r\n{extra}Connection: close\r\n\r\n".encode("latin-1")


def await_until(true: Any) -> None:
    """Wait until `true()`."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)

"""The server process: its deadlines, its isolation of slow clients, and its shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from processes import PATIENCE
from recurra.errors import RecurraError
from recurra.serving.access import Access
from recurra.serving.application import create_application
from recurra.serving.limits import Limits
from recurra.serving.listening import bind, url
from recurra.serving.registry import Registry
from recurra.serving.server import Server
from recurra.serving.services import get_services
from serving_client import HOST, Running, await_until, request, rest_of

QUICK = Limits(header_seconds=0.3, body_seconds=0.3, idle_seconds=1, send_seconds=0.3, connections=20)
POST = "Content-Type: application/json\r\nContent-Length: 100\r\n"


@contextlib.contextmanager
def in_a_thread(registry: Registry, limits: Limits, **named: object) -> Iterator[tuple[Server, int]]:
    """Yield a server with these limits in a thread, and its port."""
    listening = bind("127.0.0.1", 0)
    port = listening.getsockname()[1]
    access = Access(frozenset({f"127.0.0.1:{port}"}))
    started = threading.Event()
    server = Server(create_application(registry, access, limits, **named), started.set)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    assert started.wait(PATIENCE)
    try:
        yield server, port
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.fixture
def quick(registry: Registry) -> Iterator[int]:
    """The port of a server with short deadlines."""
    with in_a_thread(registry, QUICK) as (_, port):
        yield port


def connect(port: int, data: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    connection.sendall(data)
    return connection


def whole(port: int) -> bytes:
    """Send a valid request and return the response."""
    with connect(port, request(f"127.0.0.1:{port}")) as connection:
        return rest_of(connection)


@pytest.mark.parametrize("begun", [b"", b"G", b"GET /health HTTP/1.1\r\n", b"GET /health HTTP/1.1\r\nHost: x\r\nA: b"])
def test_incomplete_headers_are_status_408(quick: int, begun: bytes) -> None:
    with connect(quick, begun) as connection:
        assert rest_of(connection).startswith(b"HTTP/1.1 408 ")


def test_slow_headers_do_not_extend_the_deadline(quick: int) -> None:
    with connect(quick, b"GET /health HTTP/1.1\r\n") as connection:
        connection.settimeout(0.05)
        answer, end = b"", time.monotonic() + PATIENCE
        while not answer:
            assert time.monotonic() < end
            with contextlib.suppress(TimeoutError):
                connection.sendall(b"A: b\r\n")
                answer = connection.recv(100)
        assert answer.startswith(b"HTTP/1.1 408 ")


def test_incomplete_body_is_status_408(quick: int) -> None:
    with connect(quick, request(f"127.0.0.1:{quick}", "/session", method="POST", extra=POST) + b"{") as connection:
        result = rest_of(connection)
        assert result.startswith(b"HTTP/1.1 408 ")
        assert b"the body of the request did not arrive in time" in result


def test_second_request_has_a_deadline_too(quick: int) -> None:
    with connect(quick, request(f"127.0.0.1:{quick}").replace(b"Connection: close\r\n", b"")) as connection:
        connection.recv(65536)
        connection.sendall(b"GET /heal")
        assert b"HTTP/1.1 408 " in rest_of(connection)


def test_an_idle_connection_is_closed(quick: int) -> None:
    with connect(quick, request(f"127.0.0.1:{quick}").replace(b"Connection: close\r\n", b"")) as connection:
        assert b"200 OK" in rest_of(connection)


def test_connection_serves_several_requests(registry: Registry) -> None:
    with (
        in_a_thread(registry, Limits(header_seconds=0.3, idle_seconds=PATIENCE)) as (_, port),
        connect(port) as connection,
    ):
        for _ in range(3):
            connection.sendall(request(f"127.0.0.1:{port}").replace(b"Connection: close\r\n", b""))
            answer = b""
            while not answer.endswith(b'{"status":"ok"}'):
                answer += connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 ")
            time.sleep(0.4)  # longer than the deadline of the headers, which starts again with each request


def test_incomplete_requests_do_not_block_others(registry: Registry) -> None:
    patient = Limits(connections=20)
    with in_a_thread(registry, patient) as (server, port):
        held = [connect(port, b"GET /health HTTP/1.1\r\nHost:") for _ in range(40)]
        held += [connect(port, request(f"127.0.0.1:{port}", "/session", method="POST", extra=POST)) for _ in range(40)]
        for _ in range(5):
            assert b"200 OK" in whole(port)
        assert len(server.server_state.connections) <= 20
        for connection in held:
            connection.close()
        await_until(lambda: not server.server_state.connections)
        assert b"200 OK" in whole(port)


def endless(router: object) -> None:
    """Add a route with an endless stream, and a route that waits until the server stops."""

    @router.get("/endless")  # type: ignore[attr-defined, untyped-decorator]
    async def stream() -> StreamingResponse:
        async def parts() -> object:
            while True:
                await asyncio.sleep(0)
                yield b"x" * 65536

        return StreamingResponse(parts())  # type: ignore[arg-type]

    @router.get("/waiting")  # type: ignore[attr-defined, untyped-decorator]
    async def wait(request: Request) -> str:
        await get_services(request).stopping.wait()
        return "stopped"


def test_client_that_does_not_read_is_disconnected(registry: Registry) -> None:
    router = APIRouter()
    endless(router)
    with (
        in_a_thread(registry, QUICK, routers=[router]) as (server, port),
        connect(port, request(f"127.0.0.1:{port}", "/endless")) as connection,
    ):
        connection.recv(100)
        await_until(lambda: not server.server_state.connections and not server.server_state.tasks)
        with contextlib.suppress(ConnectionResetError):
            assert not rest_of(connection).endswith(b"\r\n0\r\n\r\n")


def test_new_connection_is_status_503_if_all_are_busy(registry: Registry) -> None:
    router = APIRouter()
    endless(router)
    limits = Limits(connections=3, drain_seconds=0.2, end_seconds=PATIENCE)
    with in_a_thread(registry, limits, routers=[router]) as (server, port):
        busy = [connect(port, request(f"127.0.0.1:{port}", "/waiting")) for _ in range(3)]
        await_until(lambda: len(server.server_state.tasks) == 3)
        with connect(port) as connection:
            result = rest_of(connection)
        assert result.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1" in result
        server.should_exit = True
        for connection in busy:
            with connection:
                assert b"stopped" in rest_of(connection)


def test_shutdown_lets_streams_end(registry: Registry) -> None:
    router = APIRouter()
    endless(router)
    with in_a_thread(registry, Limits(drain_seconds=0.2, end_seconds=PATIENCE), routers=[router]) as (server, port):
        held = connect(port, b"GET /health HTTP/1.1\r\nHost:")
        with connect(port, request(f"127.0.0.1:{port}", "/waiting")) as connection:
            await_until(lambda: len(server.server_state.tasks) == 1)
            server.should_exit = True
            assert b"stopped" in rest_of(connection)
        held.close()


@pytest.mark.parametrize(("signal", "code", "name"), [(15, 143, "SIGTERM"), (2, 130, "SIGINT"), (1, 129, "SIGHUP")])
def test_signal_stops_the_server_which_logs_no_client_input(
    start: Callable[..., Running], signal: int, code: int, name: str
) -> None:
    running = start()
    assert httpx.get(f"{running.url}/health").status_code == 200
    running.raw(b"nonsense\r\n\r\n")
    running.raw(request("evil.example"))
    body = {"prompt": "In the beginning", "max_tokens": 3, "temperature": -1}
    for path in ("/v1/completions", "/v1/completions?prompt=beginning", "/v1/score"):
        assert httpx.post(f"{running.url}{path}", json=body).status_code == 422
    running.process.send_signal(signal)
    ended, log = running.ended()
    assert ended == code
    assert log.splitlines() == ["serving   small", "Press Ctrl-C to stop.", f"stopped by {name}."]


def test_server_stops_if_it_cannot_print_its_address(model_file: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    line = f"exec {sys.executable} -m recurra serve {model_file} --port 0 >&-"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=environment, timeout=PATIENCE)
    assert done.returncode == 7
    assert done.stderr.endswith("error: standard output is closed.\n")
    assert "Traceback" not in done.stderr


def test_port_in_use_is_an_error(running: Running) -> None:
    with pytest.raises(
        RecurraError, match=rf"cannot listen at http://127.0.0.1:{running.port}: Address already in use"
    ):
        bind("127.0.0.1", running.port)


def test_foreign_or_invalid_address_is_an_error() -> None:
    with pytest.raises(RecurraError, match="cannot listen at"):
        bind("192.0.2.7", 0)
    with pytest.raises(RecurraError, match="cannot listen at `not a name`"):
        bind("not a name", 0)


def test_url_has_brackets_around_ipv6() -> None:
    assert url("127.0.0.1", 8000) == f"http://{HOST}"
    assert url("::1", 8000) == "http://[::1]:8000"


def test_uvicorn_has_the_hooks_of_the_connection() -> None:
    """Check the private methods of uvicorn that the connection overrides; a version without them must fail here."""
    from recurra.serving.connection import Connection

    for name in ("connection_made", "connection_lost", "data_received", "on_response_complete", "pause_writing"):
        assert callable(getattr(Connection.__mro__[1], name))
    assert callable(uvicorn.Server.capture_signals)

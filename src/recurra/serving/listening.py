"""The listening socket of a server, and its address. It is made before the packages of the server are loaded."""

from __future__ import annotations

import socket

from recurra.errors import RecurraError

BACKLOG = 512


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 is any free one. RecurraError if it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, protocol)
    except OSError as error:
        raise RecurraError(f"cannot listen at `{host}`: {error.strerror or error}.") from error
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(BACKLOG)
    except OSError as error:
        found.close()
        hint = "another program listens there; `--port 0` takes any free port."
        raise RecurraError(f"cannot listen at {url(host, port)}: {error.strerror or error}.", hint=hint) from error
    return found


def url(host: str, port: int) -> str:
    """Return the address as a browser takes it."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

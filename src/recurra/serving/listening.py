"""The listening socket of a server, and its URL. This module loads no package of the server."""

from __future__ import annotations

import socket

from recurra.errors import RecurraError

BACKLOG_CONNECTIONS = 512


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 is any free one. RecurraError if the system denies it."""
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
        found.listen(BACKLOG_CONNECTIONS)
    except OSError as error:
        found.close()
        hint = "another program listens there; `--port 0` takes any free port."
        raise RecurraError(f"cannot listen at {url(host, port)}: {error.strerror or error}.", hint=hint) from error
    return found


def url(host: str, port: int) -> str:
    """Return the URL of a server at `host` and `port`."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

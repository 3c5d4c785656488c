"""The listening socket of a server, and its URL. This module imports no package of the HTTP server."""

from __future__ import annotations

import socket

from recurra.errors import RecurraError

BACKLOG_CONNECTIONS = 512


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 selects any free port.

    Raises: RecurraError if the address is invalid or in use.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise RecurraError(f"cannot listen at `{host}`: {error.strerror or error}.") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG_CONNECTIONS)
    except OSError as error:
        listener.close()
        hint = "if another program listens there, `--port 0` selects any free port."
        raise RecurraError(f"cannot listen at {url(host, port)}: {error.strerror or error}.", hint=hint) from error
    return listener


def url(host: str, port: int) -> str:
    """Return the URL of a server at `host` and `port`."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

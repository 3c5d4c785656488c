"""What a server accepts at most, and how long it waits: every limit has its status code where it is applied."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Sizes in bytes, characters or pieces; times in seconds.

    body                     bytes of a request (413)
    requests                 requests with a body that are under way at once (503)
    connections              open sockets; of more, those that have sent no whole request are closed first
    header_time, body_time   from a request's first byte to the end of its headers, and from there to that of its body
    idle_time                between two requests on one connection
    send_time                until a client has taken what waits for it in the socket's buffer
    drain_time               from a signal to stop until what is under way is broken off
    """

    body: int = 1 << 20
    requests: int = 256
    connections: int = 512
    header_time: float = 10.0
    body_time: float = 30.0
    idle_time: int = 30
    send_time: float = 30.0
    drain_time: float = 3.0

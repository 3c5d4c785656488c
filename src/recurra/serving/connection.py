"""HTTP/1.1 on one connection, with deadlines: a slow client delays its own connection only.

uvicorn waits forever for the rest of a request and for a client that does not read. Here every wait has a deadline, and
if there are too many connections, those without a whole request are closed first.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from recurra.serving.limits import Limits
from recurra.serving.responses import HTTPError, unavailable

DEFAULT_LIMITS = Limits()


class Connection(H11Protocol):
    """uvicorn's connection with the deadlines and the number of connections of `limits`."""

    limits = DEFAULT_LIMITS

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.opened_at = self.loop.time()
        self._deadline: asyncio.TimerHandle | None = None
        self._expected = ""  # "headers", "body", or "" if no deadline is set
        self._send_deadline: asyncio.TimerHandle | None = None

    @property
    def is_incomplete(self) -> bool:
        """True while no whole request has arrived."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a client; if there are too many, close a connection without a whole request, else this one."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            incomplete = next((one for one in self._others() if one.is_incomplete), None)
            if incomplete is None:
                self._close_with(unavailable("there are too many connections; try again soon."))
                return
            incomplete.transport.abort()
            self.connections.discard(incomplete)  # at once: others may connect before `connection_lost` is called
        self._expect("headers", self.limits.header_seconds)

    def _others(self) -> list[Connection]:
        """Return the other connections, the oldest first."""
        others = [one for one in self.connections if isinstance(one, Connection) and one is not self]
        return sorted(others, key=lambda one: one.opened_at)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadlines of a client that has left."""
        self._expect("")
        self._limit_sending(False)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read bytes and set the deadline of the next part; more bytes of the same part do not extend it."""
        super().data_received(data)
        self._set_deadline()

    def on_response_complete(self) -> None:
        """Set the deadline of the next request, which the client may have sent already."""
        super().on_response_complete()
        self._set_deadline()

    def _set_deadline(self) -> None:
        if self.transport.is_closing():
            self._expect("")
        elif self.conn.their_state is h11.SEND_BODY:
            self._expect("body", self.limits.body_seconds)
        elif self.conn.their_state is h11.IDLE and self.timeout_keep_alive_task is None:
            self._expect("headers", self.limits.header_seconds)
        else:
            self._expect("")

    def _expect(self, part: str, seconds: float = 0) -> None:
        """Set the deadline of `part`, unless it is set already; "" cancels it."""
        if part == self._expected:
            return
        if self._deadline is not None:
            self._deadline.cancel()
        self._expected = part
        self._deadline = self.loop.call_later(seconds, self._time_out) if part else None

    def _time_out(self) -> None:
        if not self.transport.is_closing():
            message = f"the {self._expected} of the request did not come in time."
            self._close_with(HTTPError(HTTPStatus.REQUEST_TIMEOUT, message, code="timeout"))

    def _close_with(self, error: HTTPError) -> None:
        """Close the connection; send the error if no response has begun."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers, body = error.closing_response()
            encoded = [(name.encode(), value.encode()) for name, value in headers]
            for event in (h11.Response(status_code=error.status, headers=encoded), h11.Data(data=body)):
                self.transport.write(self.conn.send(event) or b"")
            if self.cycle is not None:
                self.cycle.response_started = self.cycle.response_complete = True
        self.transport.close()

    def shutdown(self) -> None:
        """Stop: close a connection without a whole request, let the others end."""
        if self.is_incomplete:
            self.transport.close()
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """Start the deadline of a client that does not read the response."""
        super().pause_writing()
        self._limit_sending(True)

    def resume_writing(self) -> None:
        """Cancel that deadline: the client has drained the buffer."""
        super().resume_writing()
        self._limit_sending(False)

    def _limit_sending(self, is_paused: bool) -> None:
        if self._send_deadline is not None:
            self._send_deadline.cancel()
            self._send_deadline = None
        if is_paused:
            self._send_deadline = self.loop.call_later(self.limits.send_seconds, self.transport.abort)


def connection_class(limits: Limits) -> type[Connection]:
    """Return the connection class of a server with these limits."""
    return type("LimitedConnection", (Connection,), {"limits": limits})

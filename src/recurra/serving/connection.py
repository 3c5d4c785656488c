"""HTTP/1.1 on one connection, with deadlines: a slow client delays its own connection only.

uvicorn alone waits forever for the rest of a request and for a client that does not read. This module sets a deadline
for each wait. If there are too many connections, the server first closes a connection without a complete request.
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
    """uvicorn's connection, with the deadlines and the largest number of connections from `limits`."""

    limits = DEFAULT_LIMITS

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.opened_at = self.loop.time()
        self._deadline: asyncio.TimerHandle | None = None
        self._expected = ""  # "headers", "body", or "" if no deadline is set
        self._send_deadline: asyncio.TimerHandle | None = None

    @property
    def is_incomplete(self) -> bool:
        """True until a complete request has arrived."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection. If there are too many, close the oldest without a complete request, else the new one."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            incomplete = next((other for other in self._others() if other.is_incomplete), None)
            if incomplete is None:
                self._close_with(
                    unavailable(f"the server has {self.limits.connections} connections, its maximum; try again soon.")
                )
                return
            incomplete.transport.abort()
            self.connections.discard(
                incomplete
            )  # now: other clients may connect before uvicorn calls `connection_lost`
        self._expect("headers", self.limits.header_seconds)

    def _others(self) -> list[Connection]:
        """Return the other connections, the oldest first."""
        others = [other for other in self.connections if isinstance(other, Connection) and other is not self]
        return sorted(others, key=lambda other: other.opened_at)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadlines of a client that has disconnected."""
        self._expect("")
        self._limit_sending(False)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read bytes and set the deadline of the next part. More bytes of the same part do not extend its deadline."""
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
        """Set the deadline of `part` ("headers" or "body"), unless it is set already; "" cancels the deadline."""
        if part == self._expected:
            return
        if self._deadline is not None:
            self._deadline.cancel()
        self._expected = part
        self._deadline = self.loop.call_later(seconds, self._time_out) if part else None

    def _time_out(self) -> None:
        if not self.transport.is_closing():
            message = f"the {self._expected} of the request did not arrive in time; send the request again."
            self._close_with(HTTPError(HTTPStatus.REQUEST_TIMEOUT, message, code="timeout"))

    def _close_with(self, error: HTTPError) -> None:
        """Send the error, unless a response has begun, and close the connection."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers, body = error.closing_response()
            encoded = [(name.encode(), value.encode()) for name, value in headers]
            for event in (h11.Response(status_code=error.status, headers=encoded), h11.Data(data=body)):
                self.transport.write(self.conn.send(event) or b"")
            if self.cycle is not None:
                self.cycle.response_started = self.cycle.response_complete = True
        self.transport.close()

    def shutdown(self) -> None:
        """Close a connection without a complete request; let the other requests finish."""
        if self.is_incomplete:
            self.transport.close()
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """Set the deadline of a client that does not read the response."""
        super().pause_writing()
        self._limit_sending(True)

    def resume_writing(self) -> None:
        """Cancel the send deadline: the client has drained the buffer."""
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

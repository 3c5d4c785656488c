"""HTTP/1.1 on one connection, with deadlines: a client that is slow holds its own connection, and nobody else's.

uvicorn waits for ever for the rest of a request and for a client that does not read. Here every wait has an end, and
where there are too many connections, those go first that have sent no whole request.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from recurra.serving.limits import Limits
from recurra.serving.refusals import Refusal, unavailable

LIMITS = Limits()


class Connection(H11Protocol):
    """uvicorn's connection with the deadlines and the bound of `limits`."""

    limits = LIMITS

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.begun = self.loop.time()
        self._deadline: asyncio.TimerHandle | None = None
        self._awaited = ""
        self._taking: asyncio.TimerHandle | None = None

    @property
    def is_incomplete(self) -> bool:
        """Whether nothing is being answered here: no request has come to its end."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come; where there is no room, one that has asked for nothing yet must go, else this one."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            waiting = next((one for one in self._others() if one.is_incomplete), None)
            if waiting is None:
                self._end(unavailable("there are too many connections; try again soon."))
                return
            waiting.transport.abort()
            self.connections.discard(waiting)  # at once: several may come before the loop tells it of its end
        self._await("headers", self.limits.header_time)

    def _others(self) -> list[Connection]:
        """The other connections, the oldest first."""
        others = [one for one in self.connections if isinstance(one, Connection) and one is not self]
        return sorted(others, key=lambda one: one.begun)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._await("")
        self._take(False)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes have come: the deadline is that of what is still to come, and not put off by more of the same."""
        super().data_received(data)
        self._set_deadline()

    def on_response_complete(self) -> None:
        """An answer is sent; what the client had sent beyond the request is read."""
        super().on_response_complete()
        self._set_deadline()

    def _set_deadline(self) -> None:
        if self.transport.is_closing():
            self._await("")
        elif self.conn.their_state is h11.SEND_BODY:
            self._await("body", self.limits.body_time)
        elif self.conn.their_state is h11.IDLE and self.timeout_keep_alive_task is None:
            self._await("headers", self.limits.header_time)
        else:
            self._await("")

    def _await(self, what: str, seconds: float = 0) -> None:
        """Set the deadline for `what`, unless it is set; "": for nothing."""
        if what == self._awaited:
            return
        if self._deadline is not None:
            self._deadline.cancel()
        self._awaited = what
        self._deadline = self.loop.call_later(seconds, self._too_late) if what else None

    def _too_late(self) -> None:
        if not self.transport.is_closing():
            self._end(Refusal(408, f"the {self._awaited} of the request did not come in time.", code="timeout"))

    def _end(self, refusal: Refusal) -> None:
        """Close, with an answer where none has begun."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = refusal.encoded()
            own = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
            headers = [(name.encode(), value.encode()) for name, value in (own | refusal.headers).items()]
            for event in (h11.Response(status_code=refusal.status, headers=headers), h11.Data(data=body)):
                self.transport.write(self.conn.send(event) or b"")
            if self.cycle is not None:
                self.cycle.response_started = self.cycle.response_complete = True
        self.transport.close()

    def shutdown(self) -> None:
        """The server stops: what has not been asked to its end is not waited for."""
        if self.is_incomplete:
            self.transport.close()
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """The client does not take what it asked for: it has so long to go on."""
        super().pause_writing()
        self._take(True)

    def resume_writing(self) -> None:
        """It has taken enough."""
        super().resume_writing()
        self._take(False)

    def _take(self, waits: bool) -> None:
        if self._taking is not None:
            self._taking.cancel()
        self._taking = self.loop.call_later(self.limits.send_time, self.transport.abort) if waits else None


def connection_class(limits: Limits) -> type[Connection]:
    """The class of a server's connections."""
    return type("LimitedConnection", (Connection,), {"limits": limits})

"""Responses: JSON, server-sent events and errors. This is the one place that turns an exception into a response.

An error has the shape that clients of OpenAI's API read: {"error": {"message", "type", "param", "code"}}. `HTTPError`
is the only exception that handlers raise; `as_http_error` converts all others. A message never repeats the client's
input, which may be long, secret or invalid Unicode.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from recurra.errors import RecurraError
from recurra.formatting import sanitize

JSON = "application/json"
CLIENT_CLOSED_REQUEST = 499  # nginx's status for a client that has left; nobody reads it
COMPLETIONS = "/v1/completions"
FIELD_CHARACTERS = 80  # of a field's name in an error
VALIDATION_MESSAGES = {
    "none_required": "this route continues a `prompt`; these models do not chat",
    "missing": "it is missing",
    "extra_forbidden": "there is no such field here",
    "json_invalid": "the body is no JSON",
    "string_unicode": "it has a lone surrogate, which is no character",
}
COMMON_STATUSES = (400, 401, 403, 405, 413, 415, 421, 500, 503)


class HTTPError(Exception):
    """An error response in place of the requested one.

    param     the field that is wrong
    code      a word that programs distinguish the cases by
    headers   of the response, such as Retry-After
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Return the JSON object of the response."""
        kind = error_type(self.status)
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> Response:
        """Return the response of a handler."""
        return Response(encode(self.body()), self.status, self.headers, JSON)

    def closing_response(self) -> tuple[list[tuple[str, str]], bytes]:
        """Return headers and body of a response after which the connection is closed."""
        body = encode(self.body())
        own = {"Content-Type": JSON, "Content-Length": str(len(body)), "Connection": "close"}
        return list((own | self.headers).items()), body


def error_type(status: int) -> str:
    """Return OpenAI's type of error for a status."""
    if status == HTTPStatus.UNAUTHORIZED:
        return "authentication_error"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limit_error"
    return "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"


def queue_full(message: str, seconds: int = 1) -> HTTPError:
    """Return the error of a full queue; the client may try again after some seconds."""
    return HTTPError(HTTPStatus.TOO_MANY_REQUESTS, message, code="busy", headers={"Retry-After": str(seconds)})


def unavailable(message: str, seconds: int = 1) -> HTTPError:
    """Return the error of a server that accepts no request now; the client may try again after some seconds."""
    return HTTPError(HTTPStatus.SERVICE_UNAVAILABLE, message, code="unavailable", headers={"Retry-After": str(seconds)})


def stopping() -> HTTPError:
    """Return the error of a request that the end of the server breaks off."""
    return unavailable("the server is about to stop.")


def out_of_range(field: str, reason: str) -> HTTPError:
    """Return the error of a field whose value is too large, or impossible for the model."""
    return HTTPError(HTTPStatus.UNPROCESSABLE_ENTITY, f"`{field}`: {reason}.", param=field, code="out_of_range")


async def handle_error(request: Request, error: Exception) -> Response:
    """Handle an exception of a route: the application registers this function for every kind of exception."""
    return as_http_error(request, error).response()


def as_http_error(request: Request, error: Exception) -> HTTPError:
    """Return the error that a client gets for an exception; an unexpected one is not described."""
    if isinstance(error, HTTPError):
        return error
    if isinstance(error, RecurraError):
        return HTTPError(HTTPStatus.UNPROCESSABLE_ENTITY, sanitize(error.message), code="invalid")
    if isinstance(error, RequestValidationError):
        return invalid_body(error.errors())
    if isinstance(error, HTTPException):
        if error.status_code == HTTPStatus.NOT_FOUND:
            return unknown_route(request)
        return HTTPError(error.status_code, f"{error.detail}.".lower(), headers=error.headers)
    return HTTPError(HTTPStatus.INTERNAL_SERVER_ERROR, "the server has failed; its log says more.", code="internal")


def unknown_route(request: Request) -> HTTPError:
    """Return the error of a request for a route that does not exist; its message lists those that do."""
    paths = request.app.openapi()["paths"]
    chat = COMPLETIONS in paths and request.url.path.endswith("/chat/completions")
    why = f"these models continue a text and do not chat: send a prompt to {COMPLETIONS}; " if chat else ""
    message = f"{why}there is no such route; there are {', '.join(paths)}."
    return HTTPError(HTTPStatus.NOT_FOUND, message, code="not_found")


def invalid_body(errors: Sequence[Any]) -> HTTPError:
    """Return the error for the errors that pydantic found in one body; it names the field as the request does.

    A field of several types has an error for each of them: the error to report is that of the type which the value has.
    """
    own = [error for error in errors if error["loc"][:2] == errors[0]["loc"][:2]]
    first = next((error for error in own if not error["type"].endswith("_type")), errors[0])
    where = [str(part) for part in first["loc"] if part not in ("body", "path", "query")]
    kind = first["type"]
    if kind == "json_invalid":
        return HTTPError(HTTPStatus.BAD_REQUEST, f"{VALIDATION_MESSAGES[kind]}.", code="json")
    field = where[0][:FIELD_CHARACTERS] if where else None
    reason = VALIDATION_MESSAGES.get(kind) or first["msg"].removeprefix("Value error, ").rstrip(".")
    named = f"`{field}`" if field else "the body"
    return HTTPError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{named}: {reason}.", param=field, code=kind)


class ErrorDetail(BaseModel):
    """What is wrong, of which kind, in which field, and a word for programs."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorReply(BaseModel):
    """A request that was not answered as it was asked."""

    error: ErrorDetail


def error_schemas(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the schema of the error responses of a route: the common statuses, and `statuses` of this route."""
    return {
        status: {"model": ErrorReply, "description": HTTPStatus(status).phrase}
        for status in sorted({*COMMON_STATUSES, *statuses})
    }


def encode(value: Any) -> bytes:
    """Encode as JSON in ASCII."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def event(value: Any) -> bytes:
    """Encode as a server-sent event."""
    return b"data: " + encode(value) + b"\n\n"


class EventStream(StreamingResponse):
    """A response of server-sent events; `on_end` is called however it ends."""

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[bytes], on_end: Callable[[], None]) -> None:
        super().__init__(content, headers={"X-Accel-Buffering": "no"})
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._on_end()


async def unless_disconnected(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    """Return the response of `work`; cancel `work` if the client disconnects before."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_disconnection(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else Response(status_code=CLIENT_CLOSED_REQUEST)
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _disconnection(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass

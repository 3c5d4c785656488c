"""Responses: JSON, server-sent events and errors. Only this module converts an exception into a response.

An error has OpenAI's format: {"error": {"message", "type", "param", "code"}}. Handlers raise only `HTTPError`;
`as_http_error` converts all other exceptions. A message never repeats the client's input, which may be long, secret or
invalid Unicode.
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
CLIENT_CLOSED_REQUEST = 499  # nginx's status for a client that has disconnected; no client receives it
COMPLETIONS = "/v1/completions"
MAX_FIELD_NAME_CHARACTERS = 80  # in an error
VALIDATION_MESSAGES = {
    "none_required": "the models do not chat: send a `prompt`, a text to continue",
    "missing": "this field is required",
    "extra_forbidden": "this route has no field of this name; see /openapi.json",
    "json_invalid": "the body is not valid JSON",
    "string_unicode": "the text has a lone surrogate, which is not a character",
}
COMMON_STATUSES = (400, 401, 403, 405, 413, 415, 421, 500, 503)


class HTTPError(Exception):
    """An exception that becomes an error response.

    Attributes:
        status: HTTP status.
        message: a sentence for people.
        param: name of the wrong field; None if no field is wrong.
        code: a word by which programs distinguish errors.
        headers: further headers of the response, such as Retry-After.
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
        """Return the error as the response of a handler."""
        return Response(encode(self.body()), self.status, self.headers, JSON)

    def closing_response(self) -> tuple[list[tuple[str, str]], bytes]:
        """Return the headers and the body of a response that closes the connection."""
        body = encode(self.body())
        headers = {"Content-Type": JSON, "Content-Length": str(len(body)), "Connection": "close"}
        return list((headers | self.headers).items()), body


def error_type(status: int) -> str:
    """Return OpenAI's error type for an HTTP status."""
    if status == HTTPStatus.UNAUTHORIZED:
        return "authentication_error"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limit_error"
    return "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"


def queue_full(message: str, seconds: int = 1) -> HTTPError:
    """Return the error of a full queue, with the header Retry-After in seconds."""
    return HTTPError(HTTPStatus.TOO_MANY_REQUESTS, message, code="busy", headers={"Retry-After": str(seconds)})


def unavailable(message: str, seconds: int = 1) -> HTTPError:
    """Return the error of a server that accepts no more requests, with the header Retry-After in seconds."""
    return HTTPError(HTTPStatus.SERVICE_UNAVAILABLE, message, code="unavailable", headers={"Retry-After": str(seconds)})


def stopping() -> HTTPError:
    """Return the error of a request that the shutdown of the server cancels."""
    return unavailable("the server is shutting down; send the request again when it has restarted.")


def out_of_range(field: str, reason: str) -> HTTPError:
    """Return the error of a field whose value is too large, or not possible with the model."""
    return HTTPError(HTTPStatus.UNPROCESSABLE_ENTITY, f"`{field}`: {reason}.", param=field, code="out_of_range")


async def handle_error(request: Request, error: Exception) -> Response:
    """Return the response to an exception. The application registers this function for every class of exception."""
    return as_http_error(request, error).response()


def as_http_error(request: Request, error: Exception) -> HTTPError:
    """Return the error that the client receives for an exception. The error hides the text of unexpected exceptions."""
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
    return HTTPError(HTTPStatus.INTERNAL_SERVER_ERROR, "the server has failed; its log has the cause.", code="internal")


def unknown_route(request: Request) -> HTTPError:
    """Return the error of a request for a route that does not exist; the message lists the existing routes."""
    paths = request.app.openapi()["paths"]
    is_chat = COMPLETIONS in paths and request.url.path.endswith("/chat/completions")
    chat = f"; the models do not chat: send a text to continue to {COMPLETIONS}" if is_chat else ""
    message = f"the server has no route of this path{chat}. Routes: {', '.join(paths)}."
    return HTTPError(HTTPStatus.NOT_FOUND, message, code="not_found")


def invalid_body(errors: Sequence[Any]) -> HTTPError:
    """Return one error for the list of errors of pydantic about a body.

    If a field accepts several types, pydantic lists an error for each type. Report the error of the type that the value
    has.
    """
    field_errors = [error for error in errors if error["loc"][:2] == errors[0]["loc"][:2]]
    error = next((error for error in field_errors if not error["type"].endswith("_type")), errors[0])
    location = [str(part) for part in error["loc"] if part not in ("body", "path", "query")]
    kind = error["type"]
    if kind == "json_invalid":
        return HTTPError(HTTPStatus.BAD_REQUEST, f"{VALIDATION_MESSAGES[kind]}.", code="json")
    field = location[0][:MAX_FIELD_NAME_CHARACTERS] if location else None
    reason = VALIDATION_MESSAGES.get(kind) or error["msg"].removeprefix("Value error, ").rstrip(".")
    subject = f"`{field}`" if field else "the body"
    return HTTPError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{subject}: {reason}.", param=field, code=kind)


class ErrorDetail(BaseModel):
    """An error: a message for people, OpenAI's error type, the wrong field, and a code for programs."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorReply(BaseModel):
    """The body of every error response."""

    error: ErrorDetail


def error_schemas(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the schemas of the error responses of a route: the common statuses and the route's own `statuses`."""
    return {
        status: {"model": ErrorReply, "description": HTTPStatus(status).phrase}
        for status in sorted({*COMMON_STATUSES, *statuses})
    }


def encode(value: Any) -> bytes:
    """Encode a value as JSON in ASCII."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def event(value: Any) -> bytes:
    """Encode a value as a server-sent event."""
    return b"data: " + encode(value) + b"\n\n"


class EventStream(StreamingResponse):
    """A response of server-sent events; it calls `on_end` at its end, also after an error or a disconnect."""

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
    """Return the response of `work`; cancel `work` if the client disconnects first."""
    working, disconnect = asyncio.ensure_future(work), asyncio.ensure_future(_disconnection(request))
    try:
        await asyncio.wait({working, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else Response(status_code=CLIENT_CLOSED_REQUEST)
    finally:
        for task in (working, disconnect):
            task.cancel()
        await asyncio.gather(working, disconnect, return_exceptions=True)


async def _disconnection(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass

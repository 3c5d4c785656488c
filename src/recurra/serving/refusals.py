"""What a client is told when it does not get what it asked for, in the shape that clients of OpenAI's API read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

INVALID, DENIED, BUSY, FAILED = "invalid_request_error", "authentication_error", "rate_limit_error", "server_error"

STOPPING = "the server is about to stop."


class Refusal(Exception):  # noqa: N818 - an answer, not a failure
    """A request is answered with `status` and a message in place of what it asked for.

    param, code   which field is wrong, and a word that a program can tell cases apart by
    headers       of the answer, such as Retry-After
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
        """The JSON object that says so."""
        return {
            "error": {"message": self.message, "type": kind_of(self.status), "param": self.param, "code": self.code}
        }

    def encoded(self) -> bytes:
        """`body` in UTF-8; what no UTF-8 can hold is escaped."""
        return json.dumps(self.body()).encode()


def kind_of(status: int) -> str:
    """The type of error that a status is."""
    if status == HTTPStatus.UNAUTHORIZED:
        return DENIED
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return BUSY
    return FAILED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else INVALID


def busy(message: str, seconds: int = 1) -> Refusal:
    """There is no room now; the client may try again in some seconds."""
    return Refusal(HTTPStatus.TOO_MANY_REQUESTS, message, code="busy", headers={"Retry-After": str(seconds)})


def unavailable(message: str, seconds: int = 1) -> Refusal:
    """The server as a whole cannot take this now."""
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, message, code="unavailable", headers={"Retry-After": str(seconds)})

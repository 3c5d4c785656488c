"""One format for all error responses, of every exception and from every layer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi import APIRouter
from starlette.exceptions import HTTPException

from recurra.errors import ModelError
from recurra.serving.access import Access
from recurra.serving.application import create_application
from recurra.serving.registry import Registry
from recurra.serving.responses import HTTPError, out_of_range, queue_full, stopping
from serving_client import HOST, call

ERRORS: list[tuple[Exception, int, str, str | None]] = [
    (out_of_range("n", "it is 0"), 422, "`n`: it is 0.", "out_of_range"),
    (queue_full("9 texts wait."), 429, "9 texts wait.", "busy"),
    (stopping(), 503, "the server is shutting down; send the request again when it has restarted.", "unavailable"),
    (ModelError("the model is \x1b[31m."), 422, r"the model is \x1b[31m.", "invalid"),
    (HTTPException(405, "Method Not Allowed"), 405, "method not allowed.", None),
    (ValueError("secret words"), 500, "the server has failed; its log has the cause.", "internal"),
]


@pytest.mark.parametrize(("error", "status", "message", "code"), ERRORS, ids=lambda value: type(value).__name__)
def test_exception_of_a_handler_becomes_an_error_response(
    error: Exception, status: int, message: str, code: str | None
) -> None:
    router = APIRouter()

    @router.get("/broken")
    async def broken() -> None:
        raise error

    guard = create_application(Registry([]), Access(frozenset({HOST})), routers=[router])
    result = call(guard, "GET", "/broken")
    assert result.status_code == status
    body: dict[str, Any] = result.json()["error"]
    assert (body["message"], body["code"]) == (message, code)
    if isinstance(error, HTTPError):
        assert {name.lower(): value for name, value in error.headers.items()}.items() <= dict(result.headers).items()


def test_closing_response_has_the_body_of_a_handler() -> None:
    error = queue_full("the word ß waits.", 7)
    headers, body = error.closing_response()
    assert body == error.response().body
    assert json.loads(body) == error.body()
    assert dict(headers) == {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        "Retry-After": "7",
    }

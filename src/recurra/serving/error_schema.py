"""What the schema says of refusals."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel


class ErrorDetail(BaseModel):
    """What is wrong, of which kind, in which field, and a word for programs."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorReply(BaseModel):
    """A request that was not answered as it was asked."""

    error: ErrorDetail


ALWAYS = (400, 401, 403, 405, 413, 415, 421, 500, 503)


def refusals(*others: int) -> dict[int | str, dict[str, Any]]:
    """The statuses that any route answers with, and `others` of its own, for the schema."""
    return {
        status: {"model": ErrorReply, "description": HTTPStatus(status).phrase} for status in sorted({*ALWAYS, *others})
    }

"""Errors of the framework in our words: none repeats what the client sent, which may be long, secret or no Unicode."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from recurra.serving.refusals import Refusal

WORDS = {
    "none_required": "this route continues a `prompt`; these models do not chat",
    "missing": "it is missing",
    "extra_forbidden": "there is no such field here",
    "json_invalid": "the body is no JSON",
    "string_unicode": "it has a lone surrogate, which is no character",
}


def refusal_of(errors: Sequence[Any]) -> Refusal:
    """One of pydantic's errors as a refusal; the field is named as in the request.

    Where a field may have several types, each has its error: that of the type that it has is the one to name.
    """
    own = [error for error in errors if error["loc"][:2] == errors[0]["loc"][:2]]
    first = next((error for error in own if not error["type"].endswith("_type")), errors[0])
    where = [str(part) for part in first["loc"] if part not in ("body", "path", "query")]
    kind = first["type"]
    if kind == "json_invalid":
        return Refusal(HTTPStatus.BAD_REQUEST, f"{WORDS[kind]}.", code="json")
    field = where[0][:80] if where else None
    words = WORDS.get(kind) or first["msg"].removeprefix("Value error, ").rstrip(".")
    named = f"`{field}`" if field else "the body"
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"{named}: {words}.", param=field, code=kind)

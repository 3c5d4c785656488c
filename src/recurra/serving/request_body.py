"""What every body of a request has in common."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")  # others are not repeated: they may be no Unicode
FIELDS = 64  # each one that is not known costs an error: a body of nothing else would keep everyone waiting


def ignored(body: BaseModel, prefix: str = "") -> list[str]:
    """Return warnings that name the fields of `body` that are not known: they have no effect."""
    names = [f"`{prefix}{name}`" if NAME.fullmatch(name) else "a field" for name in body.model_extra or ()]
    return [f"{name} is not known here: ignored." for name in names]


class RequestBody(BaseModel):
    """JSON's own types and finite numbers; no fields but those that are named."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _few(cls, body: Any) -> Any:
        if isinstance(body, dict) and len(body) > FIELDS:
            raise ValueError(f"it has more than {FIELDS} fields")
        return body


class OpenRequestBody(RequestBody):
    """A body that may have other fields besides, as clients of other servers send them."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"maxProperties": FIELDS})

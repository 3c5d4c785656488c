"""What every body of a request has in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

FIELDS = 64  # each one that is not known costs an error: a body of nothing else would keep everyone waiting


class RequestBody(BaseModel):
    """JSON's own types and finite numbers; no fields but those that are named."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _few(cls, body: Any) -> Any:
        if isinstance(body, dict) and len(body) > FIELDS:
            raise ValueError(f"it has more than {FIELDS} fields")
        return body

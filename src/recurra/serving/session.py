"""`/session`: a browser shows the key once, and has a cookie from then on.

An event stream of a browser cannot send the header Authorization. The cookie is a digest of the key, is never given to
scripts, and is sent by no other site; all else that the guard asks of a request it asks of these too.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from recurra.serving.access import LONGEST_KEY
from recurra.serving.error_schema import refusals
from recurra.serving.refusals import Refusal
from recurra.serving.request_body import RequestBody
from recurra.serving.services import Services, services_of

router = APIRouter()
DAY = 86_400


class Login(RequestBody):
    """The key."""

    key: str = Field(max_length=LONGEST_KEY)


@router.post("/session", status_code=HTTPStatus.NO_CONTENT, responses=refusals(422))
async def begin(login: Login, services: Annotated[Services, Depends(services_of)]) -> Response:
    """Show the key; the answer sets the cookie, for the paths beside this one. If no key is wanted, it sets none."""
    access = services.access
    answer = Response(status_code=HTTPStatus.NO_CONTENT)
    if access.key is None:
        return answer
    if not access.is_key(login.key):
        raise Refusal(HTTPStatus.UNAUTHORIZED, "that is not the key.", param="key", code="invalid_api_key")
    answer.set_cookie(access.cookie, access.session, max_age=DAY, httponly=True, samesite="strict", path=None)
    return answer

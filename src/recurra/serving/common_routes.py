"""The routes that every server has: `/health`, `/v1/models` and `/session`.

A browser sends the key once, to `/session`, and receives a cookie: its event streams cannot send the header
Authorization. The cookie is a digest of the key; scripts cannot read it, and no other site can send it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from recurra.serving.access import LONGEST_KEY
from recurra.serving.registry import ServedModel
from recurra.serving.responses import HTTPError, error_schemas
from recurra.serving.schemas import RequestBody
from recurra.serving.services import Services, get_services

router = APIRouter()
COOKIE_SECONDS = 86_400


class Health(BaseModel):
    """The server answers."""

    status: Literal["ok"] = "ok"


class ModelCard(BaseModel):
    """A model in the list: OpenAI's fields, and what the network is."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "recurra"
    cell: str
    layers: int
    hidden_size: int
    parameters: int
    symbols: int
    bytes: bool
    sha256: str


class ModelList(BaseModel):
    """All that is served."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


@router.get("/health", responses=error_schemas())
async def health() -> Health:
    """Whether the server answers; the one route that wants no key."""
    return Health()


@router.get("/v1/models", responses=error_schemas())
async def models(services: Annotated[Services, Depends(get_services)]) -> ModelList:
    """What is served."""
    return ModelList(data=[card(served) for served in services.registry.values()])


@router.get("/v1/models/{model}", responses=error_schemas(404, 422))
async def one_model(model: str, services: Annotated[Services, Depends(get_services)]) -> ModelCard:
    """One of them."""
    return card(services.workers_of(model).served)


def card(served: ServedModel) -> ModelCard:
    """Return the entry of a model in the list."""
    model = served.model
    return ModelCard(
        id=served.name,
        created=served.created,
        cell=model.config.cell,
        layers=model.config.layers,
        hidden_size=model.config.hidden_size,
        parameters=sum(array.size for array in model.parameters.values()),
        symbols=len(model.vocabulary),
        bytes=model.vocabulary.is_bytes,
        sha256=served.sha256,
    )


class Login(RequestBody):
    """The key."""

    key: str = Field(max_length=LONGEST_KEY)


@router.post("/session", status_code=HTTPStatus.NO_CONTENT, responses=error_schemas(422))
async def begin(login: Login, services: Annotated[Services, Depends(get_services)]) -> Response:
    """Show the key; the answer sets the cookie, for the paths beside this one. If no key is wanted, it sets none."""
    access = services.access
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    if access.key is None:
        return response
    if not access.is_key(login.key):
        raise HTTPError(HTTPStatus.UNAUTHORIZED, "that is not the key.", param="key", code="invalid_api_key")
    response.set_cookie(
        access.cookie, access.session, max_age=COOKIE_SECONDS, httponly=True, samesite="strict", path=None
    )
    return response

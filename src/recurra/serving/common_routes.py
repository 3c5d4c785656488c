"""The routes of every server: `/health`, `/v1/models` and `/session`.

A browser sends the key once, to `/session`, and receives a cookie, since a browser's event streams cannot send the
header Authorization. The cookie is a digest of the key. Scripts cannot read it, and no other site can send it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from recurra.serving.access import MAX_KEY_BYTES
from recurra.serving.registry import ServedModel
from recurra.serving.responses import HTTPError, error_schemas
from recurra.serving.schemas import RequestBody
from recurra.serving.services import Services, get_services

router = APIRouter()
COOKIE_SECONDS = 86_400


class Health(BaseModel):
    """The state of the server; a server that responds is ok."""

    status: Literal["ok"] = "ok"


class ModelCard(BaseModel):
    """One model: OpenAI's fields, and the settings and the size of the network."""

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
    """The list of the served models."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


@router.get("/health", responses=error_schemas())
async def health() -> Health:
    """Check that the server responds. This route needs no key."""
    return Health()


@router.get("/v1/models", responses=error_schemas())
async def models(services: Annotated[Services, Depends(get_services)]) -> ModelList:
    """List the served models."""
    return ModelList(data=[card(served) for served in services.registry.values()])


@router.get("/v1/models/{model}", responses=error_schemas(404, 422))
async def one_model(model: str, services: Annotated[Services, Depends(get_services)]) -> ModelCard:
    """Return one served model."""
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
    """The API key of the server."""

    key: str = Field(max_length=MAX_KEY_BYTES)


@router.post("/session", status_code=HTTPStatus.NO_CONTENT, responses=error_schemas(422))
async def begin(login: Login, services: Annotated[Services, Depends(get_services)]) -> Response:
    """Send the key and receive a cookie that replaces it. A server without a key sets no cookie."""
    access = services.access
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    if access.key is None:
        return response
    if not access.is_key(login.key):
        raise HTTPError(
            HTTPStatus.UNAUTHORIZED,
            "`key` is not the key of this server: send the one that it was started with (`--api-key-file`).",
            param="key",
            code="invalid_api_key",
        )
    response.set_cookie(
        access.cookie, access.session, max_age=COOKIE_SECONDS, httponly=True, samesite="strict", path=None
    )
    return response

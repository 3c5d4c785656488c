"""`/health` and `/v1/models`: that the server answers, and what it serves."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from recurra.serving.error_schema import refusals
from recurra.serving.registry import Served
from recurra.serving.services import Services, services_of

router = APIRouter()


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


@router.get("/health", responses=refusals())
async def health() -> Health:
    """Whether the server answers; the one route that wants no key."""
    return Health()


@router.get("/v1/models", responses=refusals())
async def models(services: Annotated[Services, Depends(services_of)]) -> ModelList:
    """What is served."""
    return ModelList(data=[card(served) for served in services.registry.values()])


@router.get("/v1/models/{model}", responses=refusals(404, 422))
async def one_model(model: str, services: Annotated[Services, Depends(services_of)]) -> ModelCard:
    """One of them."""
    return card(services.desk(model).served)


def card(served: Served) -> ModelCard:
    """What is told of a model."""
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

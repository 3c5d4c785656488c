"""The web application: the routes, their errors, and the guard in front of them.

A room of routes is a module with `router`, a `fastapi.APIRouter`, whose handlers ask for `services_of`; it is added to
`ROUTERS`, and paths of it that are answered without the key (static files, which hold nothing secret) to `open_paths`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from recurra import __version__
from recurra.errors import RecurraError
from recurra.formatting import inert
from recurra.serving import catalogue, completion, scores, session
from recurra.serving.access import Access
from recurra.serving.limits import Limits
from recurra.serving.refusals import Refusal
from recurra.serving.registry import Registry
from recurra.serving.security import OPEN, Guard
from recurra.serving.services import Services
from recurra.serving.validation import refusal_of

ROUTERS = (catalogue.router, session.router, completion.router, scores.router)
COMPLETIONS = "/v1/completions"
SILENT: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


def create_application(
    registry: Registry,
    access: Access,
    limits: Limits | None = None,
    *,
    routers: Sequence[APIRouter] = ROUTERS,
    open_paths: frozenset[str] = OPEN,
) -> Guard:
    """The guarded application; `guard.application` is the FastAPI within, its services in `.state.services`."""
    services = Services(registry, access, limits or Limits())
    application = FastAPI(
        title="recurra",
        version=__version__,
        summary="Character-level recurrent language models.",
        docs_url=None,  # the framework's pages load from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_living(services),
        telemetry=SILENT,
    )
    application.state.services = services
    for router in routers:
        application.include_router(router)
    application.add_exception_handler(Refusal, _refused)
    application.add_exception_handler(RecurraError, _ours)
    application.add_exception_handler(RequestValidationError, _invalid)
    application.add_exception_handler(HTTPException, _framework)
    application.add_exception_handler(Exception, _failed)
    return Guard(application, access, services.limits, open_paths)


def _living(services: Services) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    return lambda _: services.open()


def answer(refusal: Refusal) -> Response:
    """A refusal as an answer."""
    return JSONResponse(refusal.body(), refusal.status, refusal.headers)


async def _refused(request: Request, error: Exception) -> Response:  # noqa: ARG001 - as the framework calls it
    assert isinstance(error, Refusal)  # noqa: S101 - registered for it
    return answer(error)


async def _ours(request: Request, error: Exception) -> Response:  # noqa: ARG001
    assert isinstance(error, RecurraError)  # noqa: S101
    return answer(Refusal(422, inert(error.message), code="invalid"))


async def _invalid(request: Request, error: Exception) -> Response:  # noqa: ARG001
    assert isinstance(error, RequestValidationError)  # noqa: S101
    return answer(refusal_of(error.errors()))


async def _framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == HTTPStatus.NOT_FOUND:
        return answer(Refusal(HTTPStatus.NOT_FOUND, _routes(request), code="not_found"))
    return answer(Refusal(error.status_code, f"{error.detail}.".lower(), headers=dict(error.headers or {})))


def _routes(request: Request) -> str:
    """Name the routes that there are, to a request for another one."""
    paths = request.app.openapi()["paths"]
    chat = COMPLETIONS in paths and request.url.path.endswith("/chat/completions")
    why = f"these models continue a text and do not chat: send a prompt to {COMPLETIONS}; " if chat else ""
    return f"{why}there is no such route; there are {', '.join(paths)}."


async def _failed(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return answer(Refusal(500, "the server has failed; its log says more.", code="internal"))

"""The web application: its routes, and the guard in front of them.

A module of routes has `router`, a `fastapi.APIRouter`, whose handlers depend on `get_services`; add it to `ROUTERS`.
Add the paths that need no key (static files, which hold nothing secret) to `open_paths`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException

from recurra import __version__
from recurra.errors import RecurraError
from recurra.serving import common_routes, completions, scores
from recurra.serving.access import Access
from recurra.serving.limits import Limits
from recurra.serving.registry import Registry
from recurra.serving.responses import HTTPError, handle_error
from recurra.serving.security import OPEN_PATHS, Guard
from recurra.serving.services import Services

ROUTERS = (common_routes.router, completions.router, scores.router)
NO_TELEMETRY: TelemetryConfig = {
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
    open_paths: frozenset[str] = OPEN_PATHS,
) -> Guard:
    """Return the guarded application; `guard.application` is the FastAPI within, its services in `.state.services`."""
    services = Services(registry, access, limits or Limits())
    application = FastAPI(
        title="recurra",
        version=__version__,
        summary="Character-level recurrent language models.",
        docs_url=None,  # the framework's pages load from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(services),
        telemetry=NO_TELEMETRY,
    )
    application.state.services = services
    for router in routers:
        application.include_router(router)
    for kind in (HTTPError, RecurraError, RequestValidationError, HTTPException, Exception):
        application.add_exception_handler(kind, handle_error)
    return Guard(application, access, services.limits, open_paths)


def _lifespan(services: Services) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    return lambda _: services.open()

"""The web application: its routes, and the guard in front of them.

To add routes, write a module with a `fastapi.APIRouter` named `router` whose handlers depend on `get_services`, and add
the router to `ROUTERS`. Add paths that need no key, such as static files, to `open_paths`.
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
    """Return the guarded application: `guard.application` is the FastAPI object; `.state.services` has its services.

    Args:
        registry: the models to serve.
        access: the host names and the key that the server accepts.
        limits: sizes and deadlines; None: the defaults.
        routers: the routes.
        open_paths: paths that need no key.
    """
    services = Services(registry, access, limits or Limits())
    application = FastAPI(
        title="recurra",
        version=__version__,
        summary="Character-level recurrent language models.",
        docs_url=None,  # FastAPI's own pages load scripts from another site
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

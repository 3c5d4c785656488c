"""The web application with both the API and the pages."""

from __future__ import annotations

from recurra.serving.access import Access
from recurra.serving.application import ROUTERS, create_application
from recurra.serving.limits import Limits
from recurra.serving.registry import Registry
from recurra.serving.security import OPEN_PATHS, Guard
from recurra.web import page_routes


def create_site(registry: Registry, access: Access, limits: Limits | None = None) -> Guard:
    """Return the guarded application with the API and the pages."""
    routers, open_paths = (*ROUTERS, page_routes.router), OPEN_PATHS | page_routes.OPEN_PAGE_PATHS
    return create_application(registry, access, limits, routers=routers, open_paths=open_paths)

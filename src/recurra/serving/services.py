"""What the routes share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from fastapi import Request

from recurra.serving.access import Access
from recurra.serving.limits import Limits
from recurra.serving.registry import Registry


@dataclass(frozen=True)
class Services:
    """What is served and to whom. `stopping` is set when the server is asked to stop: what streams then ends soon."""

    registry: Registry
    access: Access
    limits: Limits
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


def services_of(request: Request) -> Services:
    """Those of the application that got this request."""
    found: Services = request.app.state.services
    return found

"""What the routes share."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NamedTuple

from fastapi import Request

from recurra.serving.access import Access
from recurra.serving.limits import Limits
from recurra.serving.reader import Reader
from recurra.serving.refusals import Refusal
from recurra.serving.registry import Registry, Served
from recurra.serving.writer import Writer


class Desk(NamedTuple):
    """A model, and the threads in which it writes and reads."""

    served: Served
    writer: Writer
    reader: Reader


@dataclass
class Services:
    """What is served and to whom. `stopping` is set when the server is asked to stop: what streams then ends soon.

    `desks` are there while the application lives.
    """

    registry: Registry
    access: Access
    limits: Limits
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    desks: dict[str, Desk] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """The threads live as long as the application."""
        self.stopping, queue = asyncio.Event(), self.limits.queue
        for name, served in self.registry.items():
            self.desks[name] = Desk(served, Writer(served.model, name, queue), Reader(served.model, name, queue))
        watching = asyncio.create_task(self._close_when_stopping())
        try:
            yield
        finally:
            self.stopping.set()
            await watching
            for desk in self.desks.values():
                desk.writer.join()
                desk.reader.join()

    async def _close_when_stopping(self) -> None:
        await self.stopping.wait()
        for desk in self.desks.values():
            desk.writer.close()
            desk.reader.close()

    def desk(self, name: str | None) -> Desk:
        """The model of that name; without a name, the first. Refusal where there is none."""
        wanted = next(iter(self.registry)) if name is None else name
        if wanted not in self.desks:
            raise Refusal(
                HTTPStatus.NOT_FOUND,
                "there is no model of that name; see /v1/models.",
                param="model",
                code="model_not_found",
            )
        return self.desks[wanted]


def services_of(request: Request) -> Services:
    """Those of the application that got this request."""
    found: Services = request.app.state.services
    return found

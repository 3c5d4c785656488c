"""The shared state of the application: the served models with their worker threads, the access rules and the limits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NamedTuple

from fastapi import Request

from recurra.serving.access import Access
from recurra.serving.generation_queue import GenerationQueue
from recurra.serving.limits import Limits
from recurra.serving.registry import Registry, ServedModel
from recurra.serving.responses import HTTPError
from recurra.serving.scoring_queue import ScoringQueue


class ModelWorkers(NamedTuple):
    """A model, and the queues of its two worker threads."""

    served: ServedModel
    generation: GenerationQueue
    scoring: ScoringQueue


@dataclass
class Services:
    """The state that all handlers share.

    Attributes:
        registry: the served models.
        access: the host names and the key that the server accepts.
        limits: sizes and deadlines.
        stopping: set when the server shuts down; the streams end soon after.
        workers: the queues of each model by its name; empty unless the application runs.
    """

    registry: Registry
    access: Access
    limits: Limits
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    workers: dict[str, ModelWorkers] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Start the worker threads, and stop them when the application ends."""
        self.stopping, capacity = asyncio.Event(), self.limits.queue_texts
        for name, served in self.registry.items():
            generation = GenerationQueue(served.model, name, capacity)
            self.workers[name] = ModelWorkers(served, generation, ScoringQueue(served.model, name, capacity))
        watching = asyncio.create_task(self._close_when_stopping())
        try:
            yield
        finally:
            self.stopping.set()
            await watching
            for workers in self.workers.values():
                workers.generation.join()
                workers.scoring.join()

    async def _close_when_stopping(self) -> None:
        await self.stopping.wait()
        for workers in self.workers.values():
            workers.generation.close()
            workers.scoring.close()

    def workers_of(self, name: str | None) -> ModelWorkers:
        """Return the workers of the model `name`; None selects the first model.

        Raises: HTTPError if no model has this name.
        """
        name = next(iter(self.registry)) if name is None else name
        if name not in self.workers:
            raise HTTPError(
                HTTPStatus.NOT_FOUND,
                "`model` is not the name of a served model: GET /v1/models lists the names.",
                param="model",
                code="model_not_found",
            )
        return self.workers[name]


def get_services(request: Request) -> Services:
    """Return the services of the application that handles the request."""
    services: Services = request.app.state.services
    return services

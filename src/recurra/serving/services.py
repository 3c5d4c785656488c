"""The state of the application: the served models with their worker threads, who may call, and the limits."""

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
    """The state that handlers share.

    stopping   set when the server must stop: streams end soon after
    workers    of each model by its name; filled while the application runs
    """

    registry: Registry
    access: Access
    limits: Limits
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    workers: dict[str, ModelWorkers] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Run the worker threads as long as the application runs."""
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
        """Return the workers of a model; None is the first. HTTPError if no model has that name."""
        wanted = next(iter(self.registry)) if name is None else name
        if wanted not in self.workers:
            raise HTTPError(
                HTTPStatus.NOT_FOUND,
                "there is no model of that name; see /v1/models.",
                param="model",
                code="model_not_found",
            )
        return self.workers[wanted]


def get_services(request: Request) -> Services:
    """Return the services of the application that handles the request."""
    found: Services = request.app.state.services
    return found

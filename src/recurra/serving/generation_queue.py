"""The queue of the texts that one model generates, and the worker thread that generates them side by side.

Requests come from the event loop, and the chunks of their texts return to it; only the thread uses the generator. Its
kernels run without the GIL, so that the event loop handles other requests meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from recurra.inference.generation import LENGTH, MAX_PARALLEL_TEXTS, Generator, TextGeneration
from recurra.serving.responses import HTTPError, queue_full, stopping

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from recurra.inference.sampling import SamplingConfig
    from recurra.model import LanguageModel


THREAD_NICENESS = 5  # from 0 (first) to 19 (last): the event loop goes first
EVENTS_PER_TURN = 4  # that the event loop delivers before it looks for new requests
LOG = logging.getLogger("uvicorn.error")


class GenerationTask(NamedTuple):
    """One text to generate: after the ids `prompt`, with the settings `config`; `candidate` numbers its `best_of`."""

    prompt: NDArray[np.integer]
    config: SamplingConfig
    candidate: int = 0


class GeneratedChunk(NamedTuple):
    """The next symbols of one text, the log p of each in nats, and why the text has ended (None: it continues)."""

    task: int
    symbols: str
    log_probabilities: list[float]
    finish_reason: str | None

    @property
    def mean(self) -> float:
        """The mean log p of a symbol, as in `Sample.mean`: an empty text comes last."""
        logs = self.log_probabilities
        return math.fsum(logs) / len(logs) if logs else -math.inf


Event: TypeAlias = GeneratedChunk | HTTPError


class GenerationJob:
    """The texts of one request, in the event loop; it may take so many seconds."""

    def __init__(self, tasks: Sequence[GenerationTask], seconds: float) -> None:
        self.tasks = list(tasks)
        self._end = asyncio.get_running_loop().time() + seconds
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    async def chunks(self) -> AsyncIterator[GeneratedChunk]:
        """Yield the chunks of all texts as they come, until every text has ended; HTTPError if they are broken off."""
        unfinished = len(self.tasks)
        while unfinished:
            try:
                async with asyncio.timeout_at(self._end):
                    event = await self._events.get()
            except TimeoutError:
                message = "it takes too long; ask for less at once."
                raise HTTPError(HTTPStatus.GATEWAY_TIMEOUT, message, code="timeout") from None
            if isinstance(event, HTTPError):
                raise event
            unfinished -= event.finish_reason is not None
            yield event

    async def texts(self) -> list[GeneratedChunk]:
        """Return every text as a single chunk, once all have ended."""
        symbols = [""] * len(self.tasks)
        logs: list[list[float]] = [[] for _ in self.tasks]
        reasons = [LENGTH] * len(self.tasks)
        async for chunk in self.chunks():
            symbols[chunk.task] += chunk.symbols
            logs[chunk.task] += chunk.log_probabilities
            reasons[chunk.task] = chunk.finish_reason or LENGTH
        return list(map(GeneratedChunk, range(len(self.tasks)), symbols, logs, reasons))

    def deliver(self, event: Event) -> None:
        """Append a chunk or an error; called in the event loop."""
        self._events.put_nowait(event)


class GenerationQueue:
    """The queue and the worker thread of one model. `submit`, `cancel` and `close` are called in the event loop."""

    def __init__(self, model: LanguageModel, name: str, capacity: int) -> None:
        self._model, self._capacity = model, capacity
        self._changed = threading.Condition()
        self._waiting: deque[tuple[GenerationJob, int]] = deque()
        self._jobs: set[GenerationJob] = set()
        self._outbox: deque[tuple[GenerationJob, Event]] = deque()  # used in the event loop only
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name=f"generation {name}", daemon=True)
        self._thread.start()

    def submit(self, job: GenerationJob) -> None:
        """Queue the texts of a job; HTTPError if the queue is full or closed."""
        with self._changed:
            if self._closed:
                raise stopping()
            if len(self._waiting) + len(job.tasks) > self._capacity:
                raise queue_full(f"{len(self._waiting)} texts wait to be written; try again soon.")
            self._jobs.add(job)
            self._waiting.extend((job, task) for task in range(len(job.tasks)))
            self._changed.notify()

    def cancel(self, job: GenerationJob) -> None:
        """Stop a job at the end of the block that the thread generates now."""
        with self._changed:
            self._jobs.discard(job)

    def close(self) -> None:
        """Break off all jobs and end the thread."""
        with self._changed:
            self._closed = True
            broken, self._jobs = self._jobs, set()
            self._changed.notify()
        for job in broken:
            job.deliver(stopping())

    def join(self) -> None:
        """Wait for the thread to end, after `close`: it ends with the block that it generates."""
        self._thread.join()

    def _work(self) -> None:
        _lower_thread_priority()
        generator, writings = self._model.generator(), dict[TextGeneration, tuple[GenerationJob, int]]()
        while self._take_tasks(generator, writings):
            try:
                pieces = generator.step()
            except Exception:
                LOG.exception("writing has failed")
                self._send_to_loop([(job, _failed()) for job in {job for job, _ in writings.values()}])
                generator, writings = self._model.generator(), {}
                continue
            events: list[tuple[GenerationJob, Event]] = []
            for piece in pieces:
                job, task = writings[piece.generation]
                ended = piece.generation.ended  # read here: the thread generates on while the event loop delivers
                events.append((job, GeneratedChunk(task, piece.symbols, piece.log_probabilities.tolist(), ended)))
                if ended is not None:
                    del writings[piece.generation]
            self._send_to_loop(events)

    def _take_tasks(self, generator: Generator, writings: dict[TextGeneration, tuple[GenerationJob, int]]) -> bool:
        """Wait for tasks and pass them to the generator; drop canceled ones. Return False when the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting or writings)
            if self._closed:
                return False
            for writing in [writing for writing, (job, _) in writings.items() if job not in self._jobs]:
                generator.drop(writing)
                del writings[writing]
            while self._waiting and len(generator) < MAX_PARALLEL_TEXTS:
                job, task = self._waiting.popleft()
                if job in self._jobs:
                    writings[generator.add(*job.tasks[task])] = job, task
        return True

    def _send_to_loop(self, events: list[tuple[GenerationJob, Event]]) -> None:
        """Pass the events of a block to the event loop in one call, unless the loop has ended."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._receive, events)

    def _receive(self, events: list[tuple[GenerationJob, Event]]) -> None:
        """In the event loop: deliver some events now and the others in turns, so that other requests are handled."""
        is_idle = not self._outbox
        self._outbox.extend(events)
        if is_idle:
            self._deliver()

    def _deliver(self) -> None:
        for _ in range(min(EVENTS_PER_TURN, len(self._outbox))):
            job, event = self._outbox.popleft()
            job.deliver(event)
        if self._outbox:
            self._loop.call_soon(self._deliver)


def _failed() -> HTTPError:
    message = "writing has failed; the server's log says more."
    return HTTPError(HTTPStatus.INTERNAL_SERVER_ERROR, message, code="internal")


def _lower_thread_priority() -> None:
    """Let the event loop go first if cores are scarce. On Linux every thread has a priority of its own."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), THREAD_NICENESS)

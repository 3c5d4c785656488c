"""The queue of the texts that one model generates, and the worker thread that generates them in parallel.

The event loop submits requests and receives the chunks of their texts. Only the thread uses the generator; its kernels
run without the GIL, so that the event loop handles other requests meanwhile.
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


THREAD_NICENESS = 5  # from 0 (highest priority) to 19: the event loop has priority
EVENTS_PER_TURN = 4  # events that the event loop delivers before it handles new requests
LOG = logging.getLogger("uvicorn.error")


class GenerationTask(NamedTuple):
    """One text to generate from the ids `prompt` with the settings `config`; `candidate` is its number in `best_of`."""

    prompt: NDArray[np.integer]
    config: SamplingConfig
    candidate: int = 0


class GeneratedChunk(NamedTuple):
    """The next symbols of one text, the log p of each in nats, and the finish reason (None: the text continues)."""

    task: int
    symbols: str
    log_probabilities: list[float]
    finish_reason: str | None

    @property
    def mean(self) -> float:
        """The mean log p of a symbol in nats, as in `Sample.mean`; minus infinity for an empty text."""
        logs = self.log_probabilities
        return math.fsum(logs) / len(logs) if logs else -math.inf


Event: TypeAlias = GeneratedChunk | HTTPError


class GenerationJob:
    """The texts of one request, as the event loop sees them; `seconds` is the deadline."""

    def __init__(self, tasks: Sequence[GenerationTask], seconds: float) -> None:
        self.tasks = list(tasks)
        self._end = asyncio.get_running_loop().time() + seconds
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    async def chunks(self) -> AsyncIterator[GeneratedChunk]:
        """Yield the chunks of all texts in the order of generation, until every text has ended.

        Raises: HTTPError at the deadline, at a failure of the thread, and at the shutdown of the server.
        """
        unfinished = len(self.tasks)
        while unfinished:
            try:
                async with asyncio.timeout_at(self._end):
                    event = await self._events.get()
            except TimeoutError:
                message = "the response is not complete in time; request fewer tokens or fewer choices."
                raise HTTPError(HTTPStatus.GATEWAY_TIMEOUT, message, code="timeout") from None
            if isinstance(event, HTTPError):
                raise event
            unfinished -= event.finish_reason is not None
            yield event

    async def texts(self) -> list[GeneratedChunk]:
        """Return every text as a single chunk, after all texts have ended."""
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
    """The queue and the worker thread of one model. Call `submit`, `cancel` and `close` in the event loop."""

    def __init__(self, model: LanguageModel, name: str, capacity: int) -> None:
        self._model, self._capacity = model, capacity
        self._changed = threading.Condition()
        self._waiting: deque[tuple[GenerationJob, int]] = deque()
        self._jobs: set[GenerationJob] = set()
        self._outbox: deque[tuple[GenerationJob, Event]] = deque()  # only the event loop uses it
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name=f"generation {name}", daemon=True)
        self._thread.start()

    def submit(self, job: GenerationJob) -> None:
        """Add the texts of a job to the queue.

        Raises: HTTPError if the queue is full or closed.
        """
        with self._changed:
            if self._closed:
                raise stopping()
            if len(self._waiting) + len(job.tasks) > self._capacity:
                raise queue_full(
                    f"{len(self._waiting)} texts wait for this model, and the maximum is {self._capacity}; "
                    "try again soon."
                )
            self._jobs.add(job)
            self._waiting.extend((job, task) for task in range(len(job.tasks)))
            self._changed.notify()

    def cancel(self, job: GenerationJob) -> None:
        """Cancel a job; the thread stops it at the end of the current block."""
        with self._changed:
            self._jobs.discard(job)

    def close(self) -> None:
        """Cancel all jobs and stop the thread."""
        with self._changed:
            self._closed = True
            canceled, self._jobs = self._jobs, set()
            self._changed.notify()
        for job in canceled:
            job.deliver(stopping())

    def join(self) -> None:
        """Wait until the thread has ended. Call it after `close`; the thread finishes the current block first."""
        self._thread.join()

    def _work(self) -> None:
        _lower_thread_priority()
        generator, active = self._model.generator(), dict[TextGeneration, tuple[GenerationJob, int]]()
        while self._take_tasks(generator, active):
            try:
                chunks = generator.step()
            except Exception:
                LOG.exception("text generation has failed")
                self._send_to_loop([(job, _failed()) for job in {job for job, _ in active.values()}])
                generator, active = self._model.generator(), {}
                continue
            events: list[tuple[GenerationJob, Event]] = []
            for chunk in chunks:
                job, task = active[chunk.generation]
                ended = chunk.generation.ended  # read here: the thread may generate more before the event loop delivers
                events.append((job, GeneratedChunk(task, chunk.symbols, chunk.log_probabilities.tolist(), ended)))
                if ended is not None:
                    del active[chunk.generation]
            self._send_to_loop(events)

    def _take_tasks(self, generator: Generator, active: dict[TextGeneration, tuple[GenerationJob, int]]) -> bool:
        """Wait for tasks and pass them to the generator; drop canceled texts. Return False if the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting or active)
            if self._closed:
                return False
            for text in [text for text, (job, _) in active.items() if job not in self._jobs]:
                generator.drop(text)
                del active[text]
            while self._waiting and len(generator) < MAX_PARALLEL_TEXTS:
                job, task = self._waiting.popleft()
                if job in self._jobs:
                    active[generator.add(*job.tasks[task])] = job, task
        return True

    def _send_to_loop(self, events: list[tuple[GenerationJob, Event]]) -> None:
        """Pass the events of a block to the event loop in one call, unless the loop has ended."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._receive, events)

    def _receive(self, events: list[tuple[GenerationJob, Event]]) -> None:
        """Deliver some events now and the others in later turns of the event loop, between other requests."""
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
    message = "text generation has failed; the server's log has the cause."
    return HTTPError(HTTPStatus.INTERNAL_SERVER_ERROR, message, code="internal")


def _lower_thread_priority() -> None:
    """Give the event loop priority if cores are scarce. Only Linux has a priority for each thread."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), THREAD_NICENESS)

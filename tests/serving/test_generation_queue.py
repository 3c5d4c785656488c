"""The generation queue: its capacity, the texts of its worker thread, and the end of a job."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from recurra import LanguageModel
from recurra.inference.generation import Generator
from recurra.inference.sampling import SamplingConfig
from recurra.serving.access import Access
from recurra.serving.application import create_application
from recurra.serving.generation_queue import (
    EVENTS_PER_TURN,
    GeneratedChunk,
    GenerationJob,
    GenerationQueue,
    GenerationTask,
)
from recurra.serving.limits import Limits
from recurra.serving.registry import Registry
from recurra.serving.responses import HTTPError
from recurra.serving.security import Guard
from serving_client import HOST, ask, client, run

FOREVER = 50_000_000


def job_of(model: LanguageModel, *lengths: int, seconds: float = 30) -> GenerationJob:
    ids = model.vocabulary.encode("In")
    tasks = [GenerationTask(ids, SamplingConfig(max_new_tokens=n, seed=k)) for k, n in enumerate(lengths)]
    return GenerationJob(tasks, seconds)


async def texts(job: GenerationJob) -> list[str]:
    return [text.symbols for text in await job.texts()]


def with_queue(model: LanguageModel, work: Callable[[GenerationQueue], Any], capacity: int = 100) -> Any:
    async def whole() -> Any:
        queue = GenerationQueue(model, "small", capacity)
        try:
            return await work(queue)
        finally:
            queue.close()
            queue.join()
            assert not queue._thread.is_alive()

    return run(whole())


def test_texts_generated_together_equal_each_generated_alone(model: LanguageModel) -> None:
    async def work(queue: GenerationQueue) -> list[list[str]]:
        jobs = [job_of(model, 40, 300, 5), job_of(model, 700), job_of(model, *[30] * 60)]
        for job in jobs:
            queue.submit(job)
        return list(await asyncio.gather(*map(texts, jobs)))

    for result, lengths in zip(with_queue(model, work), ([40, 300, 5], [700], [30] * 60), strict=True):
        assert result == [model.sample("In", max_new_tokens=n, seed=k) for k, n in enumerate(lengths)]


def test_full_queue_rejects_a_job(model: LanguageModel) -> None:
    async def work(queue: GenerationQueue) -> None:
        with pytest.raises(HTTPError, match="0 texts wait for this model, and the maximum is 100;") as caught:
            queue.submit(job_of(model, *[10] * 101))
        assert (caught.value.status, caught.value.headers) == (429, {"Retry-After": "1"})
        job = job_of(model, *[10] * 100)
        queue.submit(job)
        assert len(await texts(job)) == 100

    with_queue(model, work)


def test_canceled_job_gets_no_more_chunks(model: LanguageModel) -> None:
    async def work(queue: GenerationQueue) -> None:
        left, stays = job_of(model, FOREVER), job_of(model, 5000)
        queue.submit(left)
        async for _ in left.chunks():
            break
        queue.cancel(left)
        queue.submit(stays)
        assert (await texts(stays))[0] == model.sample("In", max_new_tokens=5000)
        while left._events.qsize():
            left._events.get_nowait()
        again = job_of(model, 3000)
        queue.submit(again)
        await texts(again)
        assert left._events.empty()

    with_queue(model, work)


def test_closing_the_queue_breaks_off_its_jobs(model: LanguageModel) -> None:
    async def work(queue: GenerationQueue) -> None:
        job = job_of(model, FOREVER)
        queue.submit(job)
        queue.close()
        with pytest.raises(HTTPError, match="the server is shutting down"):
            await texts(job)
        with pytest.raises(HTTPError, match="the server is shutting down"):
            queue.submit(job_of(model, 1))

    with_queue(model, work)


def test_job_has_a_deadline(model: LanguageModel) -> None:
    async def work(queue: GenerationQueue) -> None:
        job = job_of(model, FOREVER, seconds=0.2)
        queue.submit(job)
        with pytest.raises(HTTPError, match="not complete in time; request fewer tokens or fewer choices") as caught:
            await texts(job)
        assert caught.value.status == 504

    with_queue(model, work)


def test_after_a_failure_the_next_job_is_generated(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    step, failing = Generator.step, [True]

    def failing_once(self: Generator) -> Any:
        if failing:
            failing.clear()
            raise MemoryError
        return step(self)

    monkeypatch.setattr(Generator, "step", failing_once)

    async def work(queue: GenerationQueue) -> None:
        job, other = job_of(model, 10, 20), job_of(model, 10)
        queue.submit(job)
        with pytest.raises(HTTPError, match="text generation has failed; the server's log has the cause") as caught:
            await texts(job)
        assert caught.value.status == 500
        queue.submit(other)
        assert await texts(other) == [model.sample("In", max_new_tokens=10)]

    with caplog.at_level(logging.ERROR):
        with_queue(model, work)
    assert "text generation has failed" in caplog.text


def busy(guard: Guard) -> bool:
    """Return True if the queue of any model has a job."""
    application: Any = guard.application
    return any(workers.generation._jobs for workers in application.state.services.workers.values())


@pytest.mark.parametrize("stream", [False, True])
def test_client_that_disconnects_cancels_its_job(registry: Registry, stream: bool) -> None:
    guard = create_application(registry, Access(frozenset({HOST})))
    body = json.dumps({"max_tokens": 65_536, "n": 16, "stream": stream}).encode()

    async def work() -> None:
        async with client(guard):
            sent = [("Host", HOST), ("Content-Type", "application/json")]
            await ask(guard, "POST", "/v1/completions", sent, body)  # the client disconnects after the body
            assert not busy(guard)

    run(work())


def test_full_queue_is_status_429(registry: Registry) -> None:
    guard = create_application(registry, Access(frozenset({HOST})), Limits(queue_texts=3))

    async def work() -> None:
        async with client(guard) as one:
            full = await one.post("/v1/completions", json={"n": 4})
            assert (full.status_code, full.headers["retry-after"]) == (429, "1")
            assert full.json()["error"]["type"] == "rate_limit_error"
            full = await one.post("/v1/completions", json={"n": 4, "stream": True})
            assert full.status_code == 429
            assert (await one.post("/v1/completions", json={"n": 3})).status_code == 200
            assert not busy(guard)

    run(work())


def test_missed_deadline_is_status_504(registry: Registry) -> None:
    guard = create_application(registry, Access(frozenset({HOST})), Limits(response_seconds=0.0))

    async def work() -> None:
        async with client(guard) as one:
            fields = {"max_tokens": 65_536, "n": 16}
            assert (await one.post("/v1/completions", json=fields)).status_code == 504
            broken = await one.post("/v1/completions", json=fields | {"stream": True})
            last = json.loads(broken.text.strip().rpartition("data: ")[2])
            assert last["error"]["code"] == "timeout"
            assert not busy(guard)

    run(work())


def test_events_are_delivered_in_turns_and_in_sequence(model: LanguageModel) -> None:
    async def work(queue: GenerationQueue) -> tuple[list[int], int]:
        job, turns = job_of(model, *[1] * 9), 0
        events = [GeneratedChunk(number, "a", [0.0], None) for number in range(9)]
        queue._receive([(job, event) for event in events[:6]])
        queue._receive([(job, event) for event in events[6:]])
        while job._events.qsize() < 9:
            turns += 1
            await asyncio.sleep(0)
        result = [job._events.get_nowait() for _ in range(9)]
        return [event.task for event in result if isinstance(event, GeneratedChunk)], turns

    result, turns = with_queue(model, work)
    assert result == list(range(9))
    assert turns == -(-9 // EVENTS_PER_TURN) - 1

"""The thread that writes: who is served, who is told to wait, and what stops it."""

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
from recurra.serving.limits import Limits
from recurra.serving.refusals import Refusal
from recurra.serving.registry import Registry
from recurra.serving.security import Guard
from recurra.serving.writer import AT_A_TIME, Order, Text, Writer, Written
from serving_client import HOST, ask, client, run

FOREVER = 50_000_000


def order(model: LanguageModel, *lengths: int, seconds: float = 30) -> Order:
    ids = model.vocabulary.encode("In")
    return Order([Text(ids, SamplingConfig(max_new_tokens=n, seed=k)) for k, n in enumerate(lengths)], seconds)


async def texts(one: Order) -> list[str]:
    found = [""] * len(one.texts)
    async for piece in one.pieces():
        found[piece.number] += piece.symbols
    return found


def with_writer(model: LanguageModel, work: Callable[[Writer], Any], queue: int = 100) -> Any:
    async def whole() -> Any:
        writer = Writer(model, "small", queue)
        try:
            return await work(writer)
        finally:
            writer.close()
            writer.join()
            assert not writer._thread.is_alive()

    return run(whole())


def test_texts_that_are_written_together_are_those_of_each_alone(model: LanguageModel) -> None:
    async def work(writer: Writer) -> list[list[str]]:
        orders = [order(model, 40, 300, 5), order(model, 700), order(model, *[30] * 60)]
        for one in orders:
            writer.submit(one)
        return list(await asyncio.gather(*map(texts, orders)))

    for found, lengths in zip(with_writer(model, work), ([40, 300, 5], [700], [30] * 60), strict=True):
        assert found == [model.sample("In", max_new_tokens=n, seed=k) for k, n in enumerate(lengths)]


def test_the_queue_has_an_end(model: LanguageModel) -> None:
    async def work(writer: Writer) -> None:
        with pytest.raises(Refusal, match="texts wait to be written; try again soon") as caught:
            writer.submit(order(model, *[10] * 101))
        assert (caught.value.status, caught.value.headers) == (429, {"Retry-After": "1"})
        one = order(model, *[10] * 100)
        writer.submit(one)
        assert len(await texts(one)) == 100

    with_writer(model, work)


def test_who_is_dropped_is_not_written_on(model: LanguageModel) -> None:
    async def work(writer: Writer) -> None:
        left, stays = order(model, FOREVER), order(model, 5000)
        writer.submit(left)
        async for _ in left.pieces():
            break
        writer.drop(left)
        writer.submit(stays)
        assert (await texts(stays))[0] == model.sample("In", max_new_tokens=5000)
        while left._events.qsize():
            left._events.get_nowait()
        again = order(model, 3000)
        writer.submit(again)
        await texts(again)
        assert left._events.empty()

    with_writer(model, work)


def test_an_end_breaks_off_what_is_written(model: LanguageModel) -> None:
    async def work(writer: Writer) -> None:
        one = order(model, FOREVER)
        writer.submit(one)
        writer.close()
        with pytest.raises(Refusal, match="the server is about to stop"):
            await texts(one)
        with pytest.raises(Refusal, match="the server is about to stop"):
            writer.submit(order(model, 1))

    with_writer(model, work)


def test_what_takes_too_long_is_told_so(model: LanguageModel) -> None:
    async def work(writer: Writer) -> None:
        one = order(model, FOREVER, seconds=0.2)
        writer.submit(one)
        with pytest.raises(Refusal, match="it takes too long; ask for less at once") as caught:
            await texts(one)
        assert caught.value.status == 504

    with_writer(model, work)


def test_a_failure_is_told_and_the_next_is_served(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    step, failing = Generator.step, [True]

    def failing_once(self: Generator) -> Any:
        if failing:
            failing.clear()
            raise MemoryError
        return step(self)

    monkeypatch.setattr(Generator, "step", failing_once)

    async def work(writer: Writer) -> None:
        one, other = order(model, 10, 20), order(model, 10)
        writer.submit(one)
        with pytest.raises(Refusal, match="writing has failed; the server's log says more") as caught:
            await texts(one)
        assert caught.value.status == 500
        writer.submit(other)
        assert await texts(other) == [model.sample("In", max_new_tokens=10)]

    with caplog.at_level(logging.ERROR):
        with_writer(model, work)
    assert "writing has failed" in caplog.text


def busy(guard: Guard) -> bool:
    """Whether any text is on order."""
    application: Any = guard.application
    return any(desk.writer._orders for desk in application.state.services.desks.values())


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_is_not_written_for(registry: Registry, stream: bool) -> None:
    guard = create_application(registry, Access(frozenset({HOST})))
    body = json.dumps({"max_tokens": 65_536, "n": 16, "stream": stream}).encode()

    async def work() -> None:
        async with client(guard):
            sent = [("Host", HOST), ("Content-Type", "application/json")]
            await ask(guard, "POST", "/v1/completions", sent, body)  # who leaves as soon as the body is sent
            assert not busy(guard)

    run(work())


def test_a_full_queue_is_told(registry: Registry) -> None:
    guard = create_application(registry, Access(frozenset({HOST})), Limits(queue=3))

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


def test_no_time_is_told(registry: Registry) -> None:
    guard = create_application(registry, Access(frozenset({HOST})), Limits(answer_time=0.0))

    async def work() -> None:
        async with client(guard) as one:
            asked = {"max_tokens": 65_536, "n": 16}
            assert (await one.post("/v1/completions", json=asked)).status_code == 504
            broken = await one.post("/v1/completions", json=asked | {"stream": True})
            last = json.loads(broken.text.strip().rpartition("data: ")[2])
            assert last["error"]["code"] == "timeout"
            assert not busy(guard)

    run(work())


def test_what_is_handed_on_lets_others_have_their_turn_and_keeps_its_order(model: LanguageModel) -> None:
    async def work(writer: Writer) -> tuple[list[int], int]:
        one, turns = order(model, *[1] * 9), 0
        events = [Written(number, "a", [0.0], None) for number in range(9)]
        writer._put_out([(one, event) for event in events[:6]])
        writer._put_out([(one, event) for event in events[6:]])
        while one._events.qsize() < 9:
            turns += 1
            await asyncio.sleep(0)
        return [one._events.get_nowait().number for _ in range(9)], turns

    found, turns = with_writer(model, work)
    assert found == list(range(9))
    assert turns == -(-9 // AT_A_TIME) - 1

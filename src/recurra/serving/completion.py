"""`/v1/completions`: the model writes, as clients of OpenAI's API ask for it."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from recurra.inference.generation import LENGTH
from recurra.serving.answers import Stream, encode, event, unless_gone
from recurra.serving.choices import tellers
from recurra.serving.completion_reply import Completion
from recurra.serving.completion_request import CompletionRequest, Wanted, wanted
from recurra.serving.error_schema import refusals
from recurra.serving.refusals import Refusal
from recurra.serving.services import Desk, Services, services_of
from recurra.serving.writer import Order, Text

router = APIRouter()
DONE = b"data: [DONE]\n\n"
RESPONSES = refusals(404, 422, 429, 504) | {
    200: {"model": Completion, "content": {"text/event-stream": {"schema": {"type": "string"}}}}
}


@router.post("/v1/completions", response_model=None, responses=RESPONSES)
async def complete(
    body: CompletionRequest, request: Request, services: Annotated[Services, Depends(services_of)]
) -> Response:
    """Write texts after prompts. With `stream`, server-sent events: a piece of one choice each, then [DONE]."""
    desk = services.desk(body.model)
    asked = wanted(body, desk.served.model.vocabulary)
    completing = Completing(desk, asked, services.limits.answer_time)
    if body.stream:
        with_usage = bool(body.stream_options and body.stream_options.include_usage)
        return Stream(events(completing, with_usage=with_usage), completing.close)
    try:
        return await unless_gone(request, whole(completing))
    finally:
        completing.close()


class Completing:
    """One request under way: its texts are on order, its choices told as they come."""

    def __init__(self, desk: Desk, asked: Wanted, seconds: float) -> None:
        self.desk, self.asked = desk, asked
        self.tellers = tellers(desk.reader, desk.served.model.vocabulary, asked)
        self._head = {"id": f"cmpl-{secrets.token_hex(12)}", "object": "text_completion", "created": int(time.time())}
        self.order = Order(list(_texts(asked)) if asked.config.max_new_tokens else [], seconds)
        desk.writer.submit(self.order)

    def close(self) -> None:
        """Nobody waits for it any more."""
        self.desk.writer.drop(self.order)

    def reply(self, choices: list[dict[str, Any]], usage: dict[str, int] | None) -> dict[str, Any]:
        """The answer, or a piece of it."""
        own = {"model": self.desk.served.name, "choices": choices, "usage": usage, "warnings": self.asked.warnings}
        return self._head | own

    def usage(self) -> dict[str, int]:
        """What was read and written so far."""
        read, written = sum(len(one.ids) for one in self.asked.prompts), sum(one.written for one in self.tellers)
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _texts(asked: Wanted) -> Iterator[Text]:
    for prompt in asked.prompts:
        for config in asked.config.texts():
            for candidate in range(config.best_of):
                yield Text(prompt.ids, config, candidate)


async def whole(completing: Completing) -> Response:
    """The answer in one piece."""
    asked, candidates = completing.asked, completing.asked.config.best_of
    symbols = [""] * len(completing.order.texts)
    logs: list[list[float]] = [[] for _ in symbols]
    ended = [LENGTH] * len(symbols)
    async for piece in completing.order.pieces():
        symbols[piece.number] += piece.symbols
        logs[piece.number] += piece.logs
        ended[piece.number] = piece.ended or LENGTH
    choices = []
    for teller in completing.tellers:
        own = range(teller.index * candidates, (teller.index + 1) * candidates) if symbols else range(0)
        best = max(own, key=lambda number: _mean(logs[number]), default=None)
        text = ("", [], LENGTH) if best is None else (symbols[best], logs[best], ended[best])
        choices.append(await teller.piece(*text, with_prompt=asked.echo))
    found = completing.reply(choices, completing.usage())
    small = asked.likeliest is None
    encoded = encode(found) if small else await completing.desk.reader.call(encode, found)
    return Response(encoded, media_type="application/json")


def _mean(logs: list[float]) -> float:
    """The mean log p of a text, as `Sample.mean` has it."""
    return math.fsum(logs) / len(logs) if logs else -math.inf


async def events(completing: Completing, *, with_usage: bool) -> AsyncIterator[bytes]:
    """The answer as server-sent events; a refusal after the first of them is an event too."""
    try:
        async for choice in _choices(completing):
            yield event(completing.reply([choice], None))
        if with_usage:
            yield event(completing.reply([], completing.usage()))
        yield DONE
    except Refusal as refusal:
        yield event(refusal.body())


async def _choices(completing: Completing) -> AsyncIterator[dict[str, Any]]:
    """The pieces of all choices, as they come."""
    if completing.asked.echo:
        for teller in completing.tellers:
            yield await teller.echo()
    if not completing.order.texts:
        for teller in completing.tellers:
            yield await teller.piece("", [], LENGTH)
    async for piece in completing.order.pieces():
        if piece.symbols or piece.ended is not None:
            yield await completing.tellers[piece.number].piece(piece.symbols, piece.logs, piece.ended)

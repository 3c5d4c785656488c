"""The response to a completion: one JSON object, or a stream of server-sent events."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from recurra.inference.generation import LENGTH
from recurra.serving.completion_choices import formatters
from recurra.serving.generation_queue import GeneratedChunk, GenerationJob
from recurra.serving.responses import JSON, HTTPError, encode, event

if TYPE_CHECKING:
    from recurra.serving.services import ModelWorkers
    from recurra.serving.validation import ValidCompletion

DONE = b"data: [DONE]\n\n"
NO_TEXT = GeneratedChunk(0, "", [], LENGTH)  # the text of a request for 0 tokens


class CompletionStream:
    """A formatter of the chunks of one generation job, as one response or as a stream of events."""

    def __init__(self, workers: ModelWorkers, valid: ValidCompletion, job: GenerationJob) -> None:
        self._workers, self._valid, self._job = workers, valid, job
        self._choices = formatters(workers.scoring, valid)
        self._head = {"id": f"cmpl-{secrets.token_hex(12)}", "object": "text_completion", "created": int(time.time())}

    async def response(self) -> Response:
        """Return the whole completion as JSON. Each choice is its candidate with the highest mean log p of a symbol."""
        texts, candidates = await self._job.texts(), self._valid.config.best_of
        choices = []
        for choice in self._choices:
            choice_texts = texts[choice.index * candidates : (choice.index + 1) * candidates]
            best = max(choice_texts, key=lambda text: text.mean, default=NO_TEXT)
            choices.append(await choice.chunk(best, with_prompt=self._valid.echo))
        body = self._body(choices, self._usage())
        is_small = self._valid.logprobs is None
        encoded = encode(body) if is_small else await self._workers.scoring.run(encode, body)
        return Response(encoded, media_type=JSON)

    async def events(self, *, with_usage: bool) -> AsyncIterator[bytes]:
        """Yield a server-sent event for each chunk. If an error occurs, yield it as the last event."""
        try:
            async for choice in self._chunks():
                yield event(self._body([choice], None))
            if with_usage:
                yield event(self._body([], self._usage()))
            yield DONE
        except HTTPError as error:
            yield event(error.body())

    async def _chunks(self) -> AsyncIterator[dict[str, Any]]:
        """Yield the chunks of all choices in the order of their generation."""
        if self._valid.echo:
            for choice in self._choices:
                yield await choice.echo()
        if not self._job.tasks:
            for choice in self._choices:
                yield await choice.chunk(NO_TEXT)
        async for chunk in self._job.chunks():
            if chunk.symbols or chunk.finish_reason is not None:
                yield await self._choices[chunk.task].chunk(chunk)

    def _body(self, choices: list[dict[str, Any]], usage: dict[str, int] | None) -> dict[str, Any]:
        """Return the JSON of the completion, or of one chunk."""
        name, warnings = self._workers.served.name, self._valid.warnings
        return self._head | {"model": name, "choices": choices, "usage": usage, "warnings": warnings}

    def _usage(self) -> dict[str, int]:
        """Return the number of tokens that the model has read and generated so far."""
        read = sum(len(prompt.ids) for prompt in self._valid.prompts)
        generated = sum(choice.generated for choice in self._choices)
        return {"prompt_tokens": read, "completion_tokens": generated, "total_tokens": read + generated}

"""`/v1/completions`: validate a request, queue it, and stream its chunks to the client."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from recurra.serving.completion_stream import CompletionStream
from recurra.serving.generation_queue import GenerationJob
from recurra.serving.responses import COMPLETIONS, EventStream, error_schemas, unless_disconnected
from recurra.serving.schemas import Completion, CompletionRequest
from recurra.serving.services import Services, get_services
from recurra.serving.validation import validate

router = APIRouter()
RESPONSES = error_schemas(404, 422, 429, 504) | {
    200: {"model": Completion, "content": {"text/event-stream": {"schema": {"type": "string"}}}}
}


@router.post(COMPLETIONS, response_model=None, responses=RESPONSES)
async def complete(
    body: CompletionRequest, request: Request, services: Annotated[Services, Depends(get_services)]
) -> Response:
    """Continue prompts. With `stream`, send server-sent events: each is a chunk of one choice; the last is [DONE]."""
    workers = services.workers_of(body.model)
    valid = validate(body, workers.served.model.vocabulary)
    job = GenerationJob(valid.tasks(), services.limits.response_seconds)
    stream = CompletionStream(workers, valid, job)
    workers.generation.submit(job)

    def cancel() -> None:
        workers.generation.cancel(job)

    if body.stream:
        with_usage = bool(body.stream_options and body.stream_options.include_usage)
        return EventStream(stream.events(with_usage=with_usage), cancel)
    try:
        return await unless_disconnected(request, stream.response())
    finally:
        cancel()

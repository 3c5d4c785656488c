"""`/v1/score`: the loss of a model on texts, bit for bit equal to `LanguageModel.score`."""

from __future__ import annotations

import math
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from recurra.inference.scoring import Score
from recurra.inference.surprise import StaticPredictor, Surprise, surprises, tally
from recurra.serving import limits
from recurra.serving.responses import JSON, encode, error_schemas, out_of_range, unless_disconnected
from recurra.serving.schemas import ScoreRequest, Scores
from recurra.serving.scoring_queue import BLOCK_SYMBOLS, ScoringQueue
from recurra.serving.services import ModelWorkers, Services, get_services
from recurra.text.equivalents import respell

router = APIRouter()


@router.post("/v1/score", response_model=None, responses=error_schemas(404, 422, 429) | {200: {"model": Scores}})
async def score(body: ScoreRequest, request: Request, services: Annotated[Services, Depends(get_services)]) -> Response:
    """Return the loss of a model on each text."""
    workers = services.workers_of(body.model)
    texts = [body.input] if isinstance(body.input, str) else body.input
    if sum(map(len, texts)) > limits.MAX_PROMPT_CHARACTERS:
        raise out_of_range(
            "input",
            f"{sum(map(len, texts)):,} characters in all texts together; "
            f"the maximum is {limits.MAX_PROMPT_CHARACTERS:,}",
        )
    return await unless_disconnected(request, score_texts(workers, texts, with_logs=bool(body.logprobs)))


async def score_texts(workers: ModelWorkers, texts: list[str], *, with_logs: bool) -> Response:
    """Return the response with the score of each text."""
    vocabulary, data, warnings = workers.served.model.vocabulary, [], []
    for index, text in enumerate(texts):
        spelled, note = respell(text, vocabulary)
        warnings += [f"input {index}: {note}."] if note else []
        parts = await surprises_of(workers.scoring, vocabulary.spell(spelled))
        data.append({"index": index} | as_json(tally(parts, is_bytes=vocabulary.is_bytes, keep=with_logs)))
    body = {"object": "list", "model": workers.served.name, "data": data, "warnings": warnings}
    return Response(await workers.scoring.run(encode, body), media_type=JSON)


async def surprises_of(queue: ScoringQueue, symbols: str) -> list[Surprise]:
    """Return the surprise of each block of a text. The queue runs blocks of other texts in between."""
    blocks = [symbols[at : at + BLOCK_SYMBOLS] for at in range(0, len(symbols), BLOCK_SYMBOLS)]

    def begin() -> Any:
        model = queue.model
        predictor = StaticPredictor(model.reader, model.zero_state(), model.document_end)
        return surprises(predictor, model.vocabulary, blocks, model.document_end)

    parts = await queue.run(begin)
    return [await queue.run(next, parts) for _ in blocks]


def as_json(score: Score) -> dict[str, Any]:
    """Return a score as the fields of `TextScore`."""
    losses = score.losses
    return {
        "characters": score.characters,
        "unknown_characters": score.unknown_characters,
        "nats": finite_or_none(score.nats),
        "nats_per_character": finite_or_none(score.nats_per_character),
        "bits_per_character": finite_or_none(score.bits_per_character),
        "bits_per_byte": finite_or_none(score.bits_per_byte),
        "perplexity": finite_or_none(score.perplexity),
        "log_probabilities": None if losses is None else [finite_or_none(-loss) for loss in losses.tolist()],
    }


def finite_or_none(value: float) -> float | None:
    """Return `value` if it is finite, else None: JSON has no infinite numbers."""
    return value if math.isfinite(value) else None

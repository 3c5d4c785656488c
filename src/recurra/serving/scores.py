"""`/v1/score`: how well a model predicts texts, to the last bit what `LanguageModel.score` returns."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from recurra.inference.scoring import Score
from recurra.inference.surprise import Steady, Surprise, surprises, tally
from recurra.serving import limits
from recurra.serving.answers import encode, unless_gone
from recurra.serving.completion_request import Word
from recurra.serving.error_schema import refusals
from recurra.serving.reader import PIECE, Reader
from recurra.serving.refusals import Refusal
from recurra.serving.request_body import RequestBody
from recurra.serving.services import Desk, Services, services_of
from recurra.text.equivalents import respelled

router = APIRouter()
Text = Annotated[Word, Field(min_length=1)]


class ScoreRequest(RequestBody):
    """Texts to be scored, each by itself; with `logprobs`, each of their characters.

    Texts of more than 65,536 characters together are refused with 422, code out_of_range.
    """

    model: Annotated[str, Field(max_length=256)] | None = None
    input: Text | Annotated[list[Text], Field(min_length=1, max_length=limits.PROMPTS, fail_fast=True)]
    logprobs: bool | None = False


class TextScore(BaseModel):
    """The score of a text, ln K of its first character counted. What is no finite number is null.

    A model that was trained on lines reads each from an empty memory and a newline, and predicts the first character.

    Of a model of bytes, characters are bytes. `log_probabilities` are in nats.
    """

    index: int
    characters: int
    unknown_characters: int
    nats: float | None
    nats_per_character: float | None
    bits_per_character: float | None
    bits_per_byte: float | None
    perplexity: float | None
    log_probabilities: list[float | None] | None


class Scores(BaseModel):
    """The scores, in the order of the texts. `warnings` name texts that the model knows in another canonical form."""

    object: Literal["list"] = "list"
    model: str
    data: list[TextScore]
    warnings: list[str]


@router.post("/v1/score", response_model=None, responses=refusals(404, 422, 429) | {200: {"model": Scores}})
async def score(body: ScoreRequest, request: Request, services: Annotated[Services, Depends(services_of)]) -> Response:
    """Score texts."""
    desk = services.desk(body.model)
    texts = [body.input] if isinstance(body.input, str) else body.input
    if sum(map(len, texts)) > limits.PROMPT:
        words = f"`input`: all texts together may have {limits.PROMPT:,} characters."
        raise Refusal(422, words, param="input", code="out_of_range")
    return await unless_gone(request, _answer(desk, texts, with_logs=bool(body.logprobs)))


async def _answer(desk: Desk, texts: list[str], *, with_logs: bool) -> Response:
    vocabulary, data, warnings = desk.served.model.vocabulary, [], []
    for index, text in enumerate(texts):
        spelled, note = respelled(text, vocabulary)
        warnings += [f"input {index}: {note}."] if note else []
        pieces = await read(desk.reader, vocabulary.spell(spelled))
        own = tally(pieces, is_bytes=vocabulary.is_bytes, keep=with_logs)
        data.append({"index": index} | as_table(own))
    found = {"object": "list", "model": desk.served.name, "data": data, "warnings": warnings}
    return Response(await desk.reader.call(encode, found), media_type="application/json")


async def read(reader: Reader, symbols: str) -> list[Surprise]:
    """What each symbol costs, read a piece at a time: others have their turn between."""
    pieces = [symbols[at : at + PIECE] for at in range(0, len(symbols), PIECE)]

    def begin() -> Any:
        model = reader.model
        predictor = Steady(model.reader, model.zero_state(), model.document_end)
        return surprises(predictor, model.vocabulary, pieces, model.document_end)

    found = await reader.call(begin)
    return [await reader.call(next, found) for _ in pieces]


def as_table(score: Score) -> dict[str, Any]:
    """A score as JSON has it."""
    losses = score.losses
    return {
        "characters": score.characters,
        "unknown_characters": score.unknown_characters,
        "nats": finite(score.nats),
        "nats_per_character": finite(score.nats_per_character),
        "bits_per_character": finite(score.bits_per_character),
        "bits_per_byte": finite(score.bits_per_byte),
        "perplexity": finite(score.perplexity),
        "log_probabilities": None if losses is None else [finite(-loss) for loss in losses.tolist()],
    }


def finite(value: float) -> float | None:
    """What JSON can hold."""
    return value if math.isfinite(value) else None

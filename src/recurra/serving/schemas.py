"""The JSON of `/v1/completions` and `/v1/score`: OpenAI's fields, their types and their bounds.

The docstrings of these classes are the descriptions in the OpenAPI schema.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from recurra.inference.sampling_options import MAX_PENALTY, MIN_PENALTY
from recurra.serving import limits

MAX_ABSOLUTE_SEED = 10**20  # other servers have 64-bit seeds; the schema writes this number exactly, unlike 2^64
DRAWN_SEED = -1  # asks the server to draw a seed
UNLIMITED_TOKENS = -1  # asks for as many tokens as there may be
MAX_BIASES = 1024
CODE_POINTS = 0x110000
REPEATABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")  # other names may be invalid Unicode


class RequestBody(BaseModel):
    """JSON's own types and finite numbers; no fields but those that are named."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _few(cls, body: Any) -> Any:
        if isinstance(body, dict) and len(body) > limits.MAX_FIELDS:
            raise ValueError(f"it has more than {limits.MAX_FIELDS} fields")
        return body


class OpenRequestBody(RequestBody):
    """A body that may have other fields besides, as clients of other servers send them."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"maxProperties": limits.MAX_FIELDS})


def unknown_fields(body: BaseModel, prefix: str = "") -> list[str]:
    """Return a warning for each unknown field of `body`: it has no effect."""
    names = [f"`{prefix}{name}`" if REPEATABLE_NAME.fullmatch(name) else "a field" for name in body.model_extra or ()]
    return [f"{name} is not known here: ignored." for name in names]


def _integer(value: object) -> object:
    """Return 16 for 16.0: JSON has one kind of number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


INTEGER = BeforeValidator(_integer)
PromptText = Annotated[str, Field(max_length=limits.MAX_PROMPT_CHARACTERS)]
Id = Annotated[int, Field(ge=0, lt=CODE_POINTS), INTEGER]
Ids = Annotated[list[Id], Field(min_length=1, max_length=limits.MAX_PROMPT_CHARACTERS, fail_fast=True)]
PromptTexts = Annotated[list[PromptText], Field(min_length=1, max_length=limits.MAX_PROMPTS, fail_fast=True)]
IdLists = Annotated[list[Ids], Field(min_length=1, max_length=limits.MAX_PROMPTS, fail_fast=True)]
StopText = Annotated[str, Field(max_length=limits.MAX_STOP_CHARACTERS)]
StopTexts = Annotated[list[StopText], Field(max_length=limits.MAX_STOPS)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
TokenCount = Annotated[int, Field(ge=UNLIMITED_TOKENS, le=limits.MAX_TOKENS), INTEGER]
ScoredText = Annotated[PromptText, Field(min_length=1)]
TopCount = Annotated[int, Field(ge=0, le=limits.MAX_LOGPROBS), INTEGER]


class StreamOptions(OpenRequestBody):
    """What a stream tells besides."""

    include_usage: bool | None = None


class CompletionRequest(OpenRequestBody):
    """A completion as OpenAI's API has it; null is the default. A token is a character, or a byte of a model of bytes.

    top_k, min_p and repetition_penalty are besides, under the names of Hugging Face's `generate`. max_completion_tokens
    stands for max_tokens where that is missing, and -1 of either is as many as there may be. A seed of -1 is drawn;
    another one below 0 or beyond 2^53 is taken modulo 2^53. logprobs true is as many as top_logprobs, else 1.

    Penalties, logit_bias and fields that are not named here have no effect; the answer's `warnings` name them. Empty
    stop strings have none either, nor has ignore_eos: a character model has no end-of-text token.

    Refused with 422, code out_of_range: ids that the model has not; prompts of more than 65,536 tokens together; more
    than 256 prompts times choices; choices that together read and write more than 1,048,576 tokens; more than 131,072
    tokens times logprobs; best_of that is not n, where n is not 1 or stream is true.
    """

    model: Annotated[str, Field(max_length=256)] | None = None
    prompt: PromptText | PromptTexts | Ids | IdLists | None = ""
    max_tokens: TokenCount | None = None
    max_completion_tokens: TokenCount | None = None
    temperature: Annotated[float, Field(ge=0, le=100)] | None = 1.0
    top_p: Annotated[float, Field(ge=0, le=1)] | None = 1.0
    top_k: Annotated[int, Field(ge=-1, le=CODE_POINTS), INTEGER] | None = 0
    min_p: Annotated[float, Field(ge=0, le=1)] | None = 0.0
    repetition_penalty: Annotated[float, Field(ge=MIN_PENALTY, le=MAX_PENALTY)] | None = 1.0
    n: Annotated[int, Field(ge=1, le=limits.MAX_CHOICES), INTEGER] | None = 1
    best_of: Annotated[int, Field(ge=1, le=limits.MAX_CHOICES), INTEGER] | None = None
    stop: StopText | StopTexts | None = None
    seed: Annotated[int, Field(ge=-MAX_ABSOLUTE_SEED, le=MAX_ABSOLUTE_SEED), INTEGER] | None = None
    logprobs: bool | TopCount | None = None
    top_logprobs: TopCount | None = None
    echo: bool | None = False
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    user: Annotated[str, Field(max_length=1024)] | None = None
    messages: None = None
    ignore_eos: bool | None = None
    suffix: Literal[""] | None = None
    presence_penalty: Penalty | None = 0
    frequency_penalty: Penalty | None = 0
    logit_bias: Annotated[dict[str, float], Field(max_length=MAX_BIASES)] | None = None


class Logprobs(BaseModel):
    """Of each token: itself, its log p, the likeliest ones, and where it begins in `text`; the first has no log p."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None] | None
    text_offset: list[int]


class Choice(BaseModel):
    """A text, and what ended it; `seed` writes the same text again."""

    text: str
    index: int
    logprobs: Logprobs | None
    finish_reason: Literal["stop", "length"] | None
    seed: int


class Usage(BaseModel):
    """Tokens that were read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(BaseModel):
    """The answer, or a piece of it.

    `warnings` name fields without effect, and characters of prompts that the model does not know.
    """

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage | None
    warnings: list[str]


class ScoreRequest(RequestBody):
    """Texts to be scored, each by itself; with `logprobs`, each of their characters.

    Texts of more than 65,536 characters together are refused with 422, code out_of_range.
    """

    model: Annotated[str, Field(max_length=256)] | None = None
    input: ScoredText | Annotated[list[ScoredText], Field(min_length=1, max_length=limits.MAX_PROMPTS, fail_fast=True)]
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

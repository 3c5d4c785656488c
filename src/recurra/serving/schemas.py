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
DRAWN_SEED = -1  # requests a random seed from the server
UNLIMITED_TOKENS = -1  # requests as many tokens as the limits allow
MAX_BIASES = 1024
CODE_POINTS = 0x110000
REPEATABLE_NAME = re.compile(
    r"[A-Za-z][A-Za-z0-9_.-]{0,63}"
)  # warnings omit all other names: they may be invalid Unicode


class RequestBody(BaseModel):
    """A body of JSON's own types and finite numbers; a field that the schema does not list is an error."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _few(cls, body: Any) -> Any:
        if isinstance(body, dict) and len(body) > limits.MAX_FIELDS:
            raise ValueError(f"the object has {len(body):,} fields; the maximum is {limits.MAX_FIELDS}")
        return body


class OpenRequestBody(RequestBody):
    """A body that may have further fields, as clients of other servers send them."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"maxProperties": limits.MAX_FIELDS})


def unknown_fields(body: BaseModel, prefix: str = "") -> list[str]:
    """Return a warning for each unknown field of `body`; unknown fields have no effect."""
    names = [f"`{prefix}{name}`" if REPEATABLE_NAME.fullmatch(name) else "a field" for name in body.model_extra or ()]
    return [f"{name} is not a field of this route; the server ignores it." for name in names]


def _integer(value: object) -> object:
    """Return 16 for 16.0, since JSON has one type of number."""
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
    """Options of a stream: `include_usage` adds a last event with the numbers of tokens."""

    include_usage: bool | None = None


class CompletionRequest(OpenRequestBody):
    """A completion request with the fields of OpenAI's API; null selects the default.

    A token is a character, or a byte if the model was trained on bytes. top_k, min_p and repetition_penalty have the
    names and the meaning of Hugging Face's `generate`. max_completion_tokens replaces a missing max_tokens; -1 requests
    as many tokens as the limits allow. With seed -1 the server draws a seed. It reduces any other seed below 0
    or above 2^53 modulo 2^53. logprobs true requests top_logprobs likeliest tokens, or 1 without top_logprobs.

    presence_penalty, frequency_penalty, logit_bias and unknown fields have no effect; the response's `warnings` name
    them. Empty stop strings and ignore_eos have no effect either: a character model has no end-of-text token.

    The server rejects with status 422 and code out_of_range: ids outside the model's vocabulary; prompts of more than
    65,536 tokens together; more than 256 prompts times choices; choices that together read and generate more than
    1,048,576 tokens; more than 131,072 tokens times logprobs; best_of unequal to n, if n is not 1 or stream is true.
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
    """For each token: the token, its log p, the likeliest tokens, and its offset in `text`; the first has no log p."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None] | None
    text_offset: list[int]


class Choice(BaseModel):
    """A generated text and its finish reason; the same request with `seed` generates the same text again."""

    text: str
    index: int
    logprobs: Logprobs | None
    finish_reason: Literal["stop", "length"] | None
    seed: int


class Usage(BaseModel):
    """The number of tokens in the prompts and in the generated texts."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(BaseModel):
    """A completion, or one chunk of a stream.

    `warnings` name the fields without effect, and the characters of prompts outside the model's vocabulary.
    """

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage | None
    warnings: list[str]


class ScoreRequest(RequestBody):
    """Texts to score independently; with `logprobs`, the response has the log p of each character.

    The server rejects more than 65,536 characters in all texts together with status 422 and code out_of_range.
    """

    model: Annotated[str, Field(max_length=256)] | None = None
    input: ScoredText | Annotated[list[ScoredText], Field(min_length=1, max_length=limits.MAX_PROMPTS, fail_fast=True)]
    logprobs: bool | None = False


class TextScore(BaseModel):
    """The loss of a text: the sum over its characters, with ln K for the first. A number that is not finite is null.

    A model that was trained on lines reads each line from a zero state and a newline: it predicts the first character.

    If a model was trained on bytes, its characters are bytes. `log_probabilities` are in nats.
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
    """The scores, in the order of the texts. `warnings` name texts that the server read in another canonical form."""

    object: Literal["list"] = "list"
    model: str
    data: list[TextScore]
    warnings: list[str]

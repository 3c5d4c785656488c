"""What `/v1/completions` is asked: OpenAI's fields, their bounds, and what a model of ours makes of them."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
from pydantic import BeforeValidator, Field

from recurra.inference.sampling import STRONGEST, WEAKEST, SamplingConfig, Unwritable
from recurra.serving import limits
from recurra.serving.refusals import Refusal
from recurra.serving.request_body import RequestBody
from recurra.text.equivalents import respelled
from recurra.text.vocabulary import name_characters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from recurra.text.vocabulary import Vocabulary

SEEDS = 2**53  # beyond it JSON numbers are not exact everywhere
SYMBOLS = 0x110000


def _whole(value: object) -> object:
    """JSON has one kind of number: 16.0 is a whole one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
Word = Annotated[str, Field(max_length=limits.PROMPT)]
Id = Annotated[int, Field(ge=0, lt=SYMBOLS), WHOLE]
Ids = Annotated[list[Id], Field(min_length=1, max_length=limits.PROMPT, fail_fast=True)]
Prompts = Annotated[list[Word], Field(min_length=1, max_length=limits.PROMPTS, fail_fast=True)]
ListsOfIds = Annotated[list[Ids], Field(min_length=1, max_length=limits.PROMPTS, fail_fast=True)]
StopWord = Annotated[str, Field(min_length=1, max_length=limits.STOP)]
Zero = Annotated[float, Field(ge=0, le=0)]


class StreamOptions(RequestBody):
    """What a stream tells besides."""

    include_usage: bool | None = None


class CompletionRequest(RequestBody):
    """A completion as OpenAI's API has it; null is the default. A token is a character, or a byte of a model of bytes.

    top_k, min_p and repetition_penalty are besides, under the names of Hugging Face's `generate`.

    Refused with 422, code out_of_range: ids that the model has not; prompts of more than 65,536 tokens together; more
    than 256 prompts times choices; choices that together read and write more than 1,048,576 tokens; more than 131,072
    tokens times logprobs; best_of that is not n, where n is not 1 or stream is true.
    """

    model: Annotated[str, Field(max_length=256)] | None = None
    prompt: Word | Prompts | Ids | ListsOfIds | None = ""
    max_tokens: Annotated[int, Field(ge=0, le=limits.TOKENS), WHOLE] | None = 16
    temperature: Annotated[float, Field(ge=0, le=100)] | None = 1.0
    top_p: Annotated[float, Field(ge=0, le=1)] | None = 1.0
    top_k: Annotated[int, Field(ge=-1, le=SYMBOLS), WHOLE] | None = 0
    min_p: Annotated[float, Field(ge=0, le=1)] | None = 0.0
    repetition_penalty: Annotated[float, Field(ge=WEAKEST, le=STRONGEST)] | None = 1.0
    n: Annotated[int, Field(ge=1, le=limits.TEXTS), WHOLE] | None = 1
    best_of: Annotated[int, Field(ge=1, le=limits.TEXTS), WHOLE] | None = None
    stop: StopWord | Annotated[list[StopWord], Field(max_length=limits.STOPS)] | None = None
    seed: Annotated[int, Field(ge=0, le=SEEDS), WHOLE] | None = None
    logprobs: Annotated[int, Field(ge=0, le=limits.LOGPROBS), WHOLE] | None = None
    echo: bool | None = False
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    user: Annotated[str, Field(max_length=1024)] | None = None
    suffix: None = None
    presence_penalty: Zero | None = 0
    frequency_penalty: Zero | None = 0
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None


class Prompt(NamedTuple):
    """A prompt as it is read: all its symbols, those that the model knows as ids, and the others by name.

    `note` is the sentence for the client if the model knows it in another canonical form.
    """

    symbols: str
    ids: NDArray[np.integer[Any]]
    unknown: str
    note: str | None = None


class Wanted(NamedTuple):
    """A request that makes sense: for each prompt n texts, of which text i has the settings `config`, and the seed + i.

    `likeliest` is how many characters are told at each place, None where no log-probabilities are.
    """

    prompts: list[Prompt]
    config: SamplingConfig
    n: int
    likeliest: int | None
    echo: bool
    unwritable: list[Unwritable]

    @property
    def warnings(self) -> list[str]:
        """What the client should know, of the stop strings and of each prompt."""
        return [*map(str, self.unwritable)] + [
            f"prompt {number}: {words}" for number, prompt in enumerate(self.prompts) for words in _said_of(prompt)
        ]


def _said_of(prompt: Prompt) -> Iterator[str]:
    if prompt.note is not None:
        yield f"{prompt.note}."
    if prompt.unknown:
        yield f"the model does not know {name_characters(prompt.unknown)}: left out."


def wanted(request: CompletionRequest, vocabulary: Vocabulary) -> Wanted:
    """What the request asks of a model with this vocabulary. Refusal (422) where that is too much, or is senseless."""
    n, best_of = request.n or 1, request.best_of or request.n or 1
    if best_of != n and (n != 1 or request.stream):
        raise _wrong("best_of", "it must be `n`, or `n` must be 1 and `stream` false")
    prompts = [_prompt(one, vocabulary) for one in _listed(request.prompt)]
    config = SamplingConfig(
        max_new_tokens=16 if request.max_tokens is None else request.max_tokens,
        temperature=1.0 if request.temperature is None else request.temperature,
        top_k=max(request.top_k or 0, 0),
        top_p=1.0 if request.top_p is None else request.top_p,
        min_p=request.min_p or 0.0,
        repetition_penalty=1.0 if request.repetition_penalty is None else request.repetition_penalty,
        stop=tuple([request.stop] if isinstance(request.stop, str) else request.stop or ()),
        seed=secrets.randbelow(2**31) if request.seed is None else request.seed,
        num_return_sequences=n,
        best_of=best_of if n == 1 else 1,
    )
    config, unwritable = config.adapted(vocabulary)
    found = Wanted(prompts, config, n, request.logprobs, bool(request.echo), unwritable)
    _require_few(found)
    return found


def _listed(prompt: str | list[str] | list[int] | list[list[int]] | None) -> list[str] | list[list[int]]:
    if prompt is None or isinstance(prompt, str):
        return [prompt or ""]
    if isinstance(prompt[0], int):
        return [prompt]
    return prompt


def _prompt(prompt: str | list[int], vocabulary: Vocabulary) -> Prompt:
    if isinstance(prompt, str):
        text, note = respelled(prompt, vocabulary)
        symbols = vocabulary.spell(text)
        return Prompt(symbols, *vocabulary.encode_known(symbols), note)
    if max(prompt) >= len(vocabulary):
        raise _wrong("prompt", f"the model's ids are 0 to {len(vocabulary) - 1}")
    ids = np.array(prompt, np.int64)
    return Prompt(vocabulary.decode(ids), ids, "")


def _require_few(found: Wanted) -> None:
    """Refusal unless all that is wanted together is within bounds."""
    texts = len(found.prompts) * found.n * found.config.best_of
    lengths = [len(prompt.symbols) for prompt in found.prompts]
    if max(sum(lengths), *lengths) > limits.PROMPT:
        raise _wrong("prompt", f"all prompts together may have {limits.PROMPT:,} tokens")
    if texts > limits.TEXTS:
        raise _wrong("n", f"prompts times choices may be {limits.TEXTS}, and are {texts}")
    if texts * (found.config.max_new_tokens + max(lengths)) > limits.ALL_TOKENS:
        raise _wrong("max_tokens", f"all choices together may read and write {limits.ALL_TOKENS:,} tokens")
    if found.likeliest is not None:
        places = found.n * (len(lengths) * found.config.max_new_tokens + found.echo * sum(lengths))
        if places * max(found.likeliest, 1) > limits.ROWS:
            raise _wrong("logprobs", f"tokens times logprobs may be {limits.ROWS:,}")


def _wrong(field: str, words: str) -> Refusal:
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"`{field}`: {words}.", param=field, code="out_of_range")

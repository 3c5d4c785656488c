"""What `/v1/completions` is asked: OpenAI's fields, their bounds, and what a model of ours makes of them."""

from __future__ import annotations

import dataclasses
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import BeforeValidator, Field

from recurra.inference.sampling import SamplingConfig
from recurra.inference.sampling_options import STRONGEST, WEAKEST
from recurra.serving import limits
from recurra.serving.refusals import Refusal
from recurra.serving.request_body import OpenRequestBody, ignored
from recurra.text.equivalents import respelled
from recurra.text.vocabulary import name_characters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from recurra.text.vocabulary import Vocabulary

SEEDS = 2**53  # beyond it JSON numbers are not exact everywhere
LARGEST = 10**20  # seeds of other servers have 64 bits; the schema writes this number exactly, which it does not 2^64
DRAW, UNLIMITED = -1, -1  # a seed that asks for any seed; max_tokens that ask for as many as there may be
BIASES = 1024
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
StopWord = Annotated[str, Field(max_length=limits.STOP)]
StopWords = Annotated[list[StopWord], Field(max_length=limits.STOPS)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
Length = Annotated[int, Field(ge=UNLIMITED, le=limits.TOKENS), WHOLE]
Likeliest = Annotated[int, Field(ge=0, le=limits.LOGPROBS), WHOLE]


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
    prompt: Word | Prompts | Ids | ListsOfIds | None = ""
    max_tokens: Length | None = None
    max_completion_tokens: Length | None = None
    temperature: Annotated[float, Field(ge=0, le=100)] | None = 1.0
    top_p: Annotated[float, Field(ge=0, le=1)] | None = 1.0
    top_k: Annotated[int, Field(ge=-1, le=SYMBOLS), WHOLE] | None = 0
    min_p: Annotated[float, Field(ge=0, le=1)] | None = 0.0
    repetition_penalty: Annotated[float, Field(ge=WEAKEST, le=STRONGEST)] | None = 1.0
    n: Annotated[int, Field(ge=1, le=limits.TEXTS), WHOLE] | None = 1
    best_of: Annotated[int, Field(ge=1, le=limits.TEXTS), WHOLE] | None = None
    stop: StopWord | StopWords | None = None
    seed: Annotated[int, Field(ge=-LARGEST, le=LARGEST), WHOLE] | None = None
    logprobs: bool | Likeliest | None = None
    top_logprobs: Likeliest | None = None
    echo: bool | None = False
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    user: Annotated[str, Field(max_length=1024)] | None = None
    messages: None = None
    ignore_eos: bool | None = None
    suffix: Literal[""] | None = None
    presence_penalty: Penalty | None = 0
    frequency_penalty: Penalty | None = 0
    logit_bias: Annotated[dict[str, float], Field(max_length=BIASES)] | None = None


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
    notes: list[str]

    @property
    def warnings(self) -> list[str]:
        """Name the fields without effect, the stop strings that cannot come, and what is left out of each prompt."""
        return self.notes + [
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
    likeliest = _likeliest(request)
    config = SamplingConfig(
        max_new_tokens=0,
        temperature=1.0 if request.temperature is None else request.temperature,
        top_k=max(request.top_k or 0, 0),
        top_p=1.0 if request.top_p is None else request.top_p,
        min_p=request.min_p or 0.0,
        repetition_penalty=1.0 if request.repetition_penalty is None else request.repetition_penalty,
        stop=tuple(filter(None, [request.stop] if isinstance(request.stop, str) else request.stop or ())),
        seed=_seed(request.seed),
        num_return_sequences=n,
        best_of=best_of if n == 1 else 1,
    )
    config, unwritable = config.adapted(vocabulary)
    notes = [*_ignored(request), *map(str, unwritable)]
    found = Wanted(prompts, config, n, likeliest, bool(request.echo), notes)
    length = request.max_completion_tokens if request.max_tokens is None else request.max_tokens
    length = 16 if length is None else _most(found) if length == UNLIMITED else length
    found = found._replace(config=dataclasses.replace(config, max_new_tokens=length))
    _require_few(found)
    return found


def _seed(seed: int | None) -> int:
    if seed is None or seed == DRAW:
        return secrets.randbelow(2**31)
    return seed if 0 <= seed <= SEEDS else seed % SEEDS


def _likeliest(request: CompletionRequest) -> int | None:
    """Return how many of the likeliest characters are wanted at each place; None if no log-probabilities are."""
    if request.logprobs is True:
        return 1 if request.top_logprobs is None else request.top_logprobs
    return None if request.logprobs is False else request.logprobs


def _ignored(request: CompletionRequest) -> list[str]:
    """Name the fields that have no effect on the answer."""
    unsupported = ("presence_penalty", "frequency_penalty", "logit_bias")
    named = [f"`{name}` is not supported: ignored." for name in unsupported if getattr(request, name)]
    of_stream = [] if request.stream_options is None else ignored(request.stream_options, "stream_options.")
    return [*named, *ignored(request), *of_stream]


def _most(found: Wanted) -> int:
    """Return the largest max_tokens that `_require_few` allows; 0 if there is none."""
    lengths = [len(prompt.symbols) for prompt in found.prompts]
    texts = len(lengths) * found.n * found.config.best_of
    most = min(limits.TOKENS, limits.ALL_TOKENS // texts - max(lengths))
    if found.likeliest is not None:
        places = limits.ROWS // max(found.likeliest, 1) // found.n - found.echo * sum(lengths)
        most = min(most, places // len(lengths))
    return max(most, 0)


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

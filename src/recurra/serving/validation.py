"""Validation of a completion request against one model: defaults, the ids of the prompts, limits and warnings."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from recurra.inference.sampling import SamplingConfig
from recurra.serving import limits
from recurra.serving.generation_queue import GenerationTask
from recurra.serving.responses import HTTPError, out_of_range
from recurra.serving.schemas import DRAWN_SEED, UNLIMITED_TOKENS, unknown_fields
from recurra.text.equivalents import respell
from recurra.text.vocabulary import name_characters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.serving.schemas import CompletionRequest
    from recurra.text.vocabulary import Vocabulary

SEED_MODULUS = 2**53  # larger JSON numbers are not exact in every client
DRAWN_SEED_MODULUS = 2**31
DEFAULT_TOKENS = 16


class Prompt(NamedTuple):
    """A prompt for one model.

    Attributes:
        symbols: all symbols of the prompt.
        ids: ids of the symbols that the model's vocabulary has.
        unknown: the symbols that the vocabulary lacks.
        note: a sentence for the client if the prompt was converted to another canonical form.
    """

    symbols: str
    ids: NDArray[np.integer[Any]]
    unknown: str
    note: str | None = None


class ValidCompletion(NamedTuple):
    """A completion request after validation: `n` choices for each prompt; choice i has the seed `config.seed` + i.

    `logprobs` is the number of likeliest tokens to report at each position; None if the client requests none.
    """

    prompts: list[Prompt]
    config: SamplingConfig
    n: int
    logprobs: int | None
    echo: bool
    notes: list[str]

    @property
    def warnings(self) -> list[str]:
        """The fields without effect, stop strings that cannot occur, and omitted characters of each prompt."""
        return self.notes + [
            f"prompt {number}: {words}" for number, prompt in enumerate(self.prompts) for words in _prompt_notes(prompt)
        ]

    def tasks(self) -> list[GenerationTask]:
        """Return the texts to generate: all candidates of choice 0, then all candidates of choice 1, and so on."""
        if not self.config.max_new_tokens:
            return []
        return [
            GenerationTask(prompt.ids, config, candidate)
            for prompt in self.prompts
            for config in self.config.texts()
            for candidate in range(config.best_of)
        ]


def _prompt_notes(prompt: Prompt) -> Iterator[str]:
    if prompt.note is not None:
        yield f"{prompt.note}."
    if prompt.unknown:
        yield f"characters outside the model's vocabulary are omitted: {name_characters(prompt.unknown)}."


def validate(request: CompletionRequest, vocabulary: Vocabulary) -> ValidCompletion:
    """Validate a request for a model with this vocabulary.

    Raises: HTTPError (422) if the request is too large or contradictory.
    """
    n, best_of = request.n or 1, request.best_of or request.n or 1
    if best_of != n and (n != 1 or request.stream):
        raise out_of_range("best_of", "the value must equal `n`, unless `n` is 1 and `stream` is false")
    prompts = [_prompt(prompt, vocabulary) for prompt in _prompt_list(request.prompt)]
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
    config, impossible_stops = config.adapt(vocabulary)
    notes = [*_fields_without_effect(request), *map(str, impossible_stops)]
    valid = ValidCompletion(prompts, config, n, _logprobs(request), bool(request.echo), notes)
    tokens = request.max_completion_tokens if request.max_tokens is None else request.max_tokens
    tokens = DEFAULT_TOKENS if tokens is None else _most_tokens(valid) if tokens == UNLIMITED_TOKENS else tokens
    valid = valid._replace(config=dataclasses.replace(config, max_new_tokens=tokens))
    _require_within_limits(valid)
    return valid


def _seed(seed: int | None) -> int:
    if seed is None or seed == DRAWN_SEED:
        return secrets.randbelow(DRAWN_SEED_MODULUS)
    return seed if 0 <= seed <= SEED_MODULUS else seed % SEED_MODULUS


def _logprobs(request: CompletionRequest) -> int | None:
    """Return the number of likeliest tokens to report at each position; None if the client requests none."""
    if request.logprobs is True:
        return 1 if request.top_logprobs is None else request.top_logprobs
    return None if request.logprobs is False else request.logprobs


def _fields_without_effect(request: CompletionRequest) -> list[str]:
    """Return a warning for each field that has no effect on the response."""
    unsupported = ("presence_penalty", "frequency_penalty", "logit_bias")
    ignored = [f"`{name}` is not supported; the server ignores it." for name in unsupported if getattr(request, name)]
    options = [] if request.stream_options is None else unknown_fields(request.stream_options, "stream_options.")
    return [*ignored, *unknown_fields(request), *options]


def _most_tokens(valid: ValidCompletion) -> int:
    """Return the largest max_tokens that `_require_within_limits` allows; 0 if it allows none."""
    lengths = [len(prompt.symbols) for prompt in valid.prompts]
    texts = len(lengths) * valid.n * valid.config.best_of
    most = min(limits.MAX_TOKENS, limits.MAX_TOTAL_TOKENS // texts - max(lengths))
    if valid.logprobs is not None:
        positions = limits.MAX_LOGPROB_ENTRIES // max(valid.logprobs, 1) // valid.n - valid.echo * sum(lengths)
        most = min(most, positions // len(lengths))
    return max(most, 0)


def _prompt_list(prompt: str | list[str] | list[int] | list[list[int]] | None) -> list[str] | list[list[int]]:
    if prompt is None or isinstance(prompt, str):
        return [prompt or ""]
    if isinstance(prompt[0], int):
        return [prompt]
    return prompt


def _prompt(prompt: str | list[int], vocabulary: Vocabulary) -> Prompt:
    if isinstance(prompt, str):
        text, note = respell(prompt, vocabulary)
        symbols = vocabulary.spell(text)
        return Prompt(symbols, *vocabulary.encode_known(symbols), note)
    if max(prompt) >= len(vocabulary):
        raise out_of_range(
            "prompt", f"an id is not in the model's vocabulary, which has ids 0 to {len(vocabulary) - 1}"
        )
    ids = np.array(prompt, np.int64)
    return Prompt(vocabulary.decode(ids), ids, "")


def _require_within_limits(valid: ValidCompletion) -> None:
    """Raise HTTPError unless all texts of the request together are within the limits."""
    texts = len(valid.prompts) * valid.n * valid.config.best_of
    lengths = [len(prompt.symbols) for prompt in valid.prompts]
    if sum(lengths) > limits.MAX_PROMPT_CHARACTERS:
        raise _too_many("prompt", "tokens in all prompts together", sum(lengths), limits.MAX_PROMPT_CHARACTERS)
    if texts > limits.MAX_CHOICES:
        raise _too_many("n", "choices (prompts times `n` or `best_of`)", texts, limits.MAX_CHOICES)
    tokens = texts * (valid.config.max_new_tokens + max(lengths))
    if tokens > limits.MAX_TOTAL_TOKENS:
        raise _too_many("max_tokens", "tokens to read and generate in all choices", tokens, limits.MAX_TOTAL_TOKENS)
    if valid.logprobs is not None:
        positions = valid.n * (len(lengths) * valid.config.max_new_tokens + valid.echo * sum(lengths))
        entries = positions * max(valid.logprobs, 1)
        if entries > limits.MAX_LOGPROB_ENTRIES:
            raise _too_many(
                "logprobs", "log-probabilities (tokens times `logprobs`)", entries, limits.MAX_LOGPROB_ENTRIES
            )


def _too_many(field: str, items: str, number: int, maximum: int) -> HTTPError:
    return out_of_range(field, f"{number:,} {items}; the maximum is {maximum:,}")

"""The choices of a completion as JSON: the text of each chunk, and its log-probabilities in OpenAI's format.

The server scores an echoed prompt and generated text differently, so that both agree with the command line. Generated
text follows a newline that the response omits, as in `recurra sample`. An echoed prompt has the log-probabilities of
`recurra score`: nothing precedes its first symbol, which has no log p (`recurra score` counts ln K for it).
"""

from __future__ import annotations

import codecs
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from recurra.inference.sampling import start_ids
from recurra.inference.surprise import escapes
from recurra.serving.generation_queue import GeneratedChunk
from recurra.serving.scoring_queue import IncrementalScorer, ScoredSymbols, ScoringQueue

if TYPE_CHECKING:
    from recurra.serving.validation import Prompt, ValidCompletion
    from recurra.text.vocabulary import Vocabulary

INFINITE_LOG = -9999.0  # replaces a log p that is not finite: JSON has no infinite numbers
LAST_ASCII = 0x7F

TopLogprobs = list[dict[str, float] | None]


class ChunkLogprobs(NamedTuple):
    """Log p of each symbol of a chunk, and the likeliest tokens at each position; both are empty if not requested."""

    logs: list[float | None]
    top: TopLogprobs


class PromptScorer:
    """The log-probabilities of a prompt, computed once for all its choices."""

    def __init__(self, queue: ScoringQueue, prompt: Prompt, logprobs: int | None) -> None:
        self.prompt = prompt
        self._queue, self._logprobs = queue, logprobs
        self._echo: ChunkLogprobs | None = None
        self._following: IncrementalScorer | None = None

    async def echo(self) -> ChunkLogprobs:
        """Return the log-probabilities of the prompt itself."""
        if self._echo is None:
            self._echo = await self._score()
        return self._echo

    async def _score(self) -> ChunkLogprobs:
        """Score the prompt; a symbol outside the vocabulary costs the code length of its escape.

        The first known symbol and all symbols before it have no likeliest tokens. A model that was trained on documents
        reads a newline first, so that all symbols have likeliest tokens.
        """
        symbols, ids = self.prompt.symbols, self.prompt.ids
        if self._logprobs is None:
            return ChunkLogprobs([], [])
        _, known = self._queue.model.vocabulary.look_up(symbols)
        # Score one more symbol, so that unknown symbols at the end have a row too.
        rows = await IncrementalScorer(self._queue, self._logprobs).score(np.concatenate([ids, ids[-1:]]))
        has_unscored_symbol = self._queue.model.document_end is None  # the first symbol has no log p
        row: Any = np.cumsum(known) - known - int(has_unscored_symbol)  # row of each symbol; negative: no row
        has_row = row >= 0
        costs = -escapes(symbols)
        costs[known & has_row] = rows.logs[row[known & has_row]]
        logs: list[float | None] = list(map(finite_log, costs.tolist()))
        for first in np.flatnonzero(known)[: int(has_unscored_symbol)].tolist():
            logs[first] = None
        if not self._logprobs:
            return ChunkLogprobs(logs, [])
        scored_rows = row[has_row]
        scored = ScoredSymbols(costs[has_row], rows.top_ids[scored_rows], rows.top_logs[scored_rows])
        top: TopLogprobs = [None] * (len(symbols) - len(scored_rows))
        return ChunkLogprobs(logs, top + await top_logprobs(self._queue, scored, symbols[len(top) :]))

    async def following(self) -> IncrementalScorer:
        """Return a scorer of the text that follows the prompt."""
        if self._following is None:
            self._following = IncrementalScorer(self._queue, self._logprobs or 0)
            await self._following.score(np.concatenate([start_ids(self._queue.model.vocabulary), self.prompt.ids]))
        return self._following.copy()


class ChoiceFormatter:
    """A formatter of the chunks of one choice, in order; `generated` is the number of tokens so far."""

    def __init__(self, index: int, seed: int, prompt: PromptScorer, queue: ScoringQueue, logprobs: int | None) -> None:
        self.index, self.seed = index, seed
        self.generated = 0
        self._prompt, self._queue, self._logprobs = prompt, queue, logprobs
        self._decoder = TokenDecoder(queue.model.vocabulary)
        self._scorer: IncrementalScorer | None = None

    async def echo(self) -> dict[str, Any]:
        """Format the prompt as the first chunk of the choice."""
        return self._format(self._prompt.prompt.symbols, await self._prompt.echo(), None)

    async def chunk(self, chunk: GeneratedChunk, *, with_prompt: bool = False) -> dict[str, Any]:
        """Format a generated chunk; with `with_prompt`, prepend the prompt."""
        self.generated += len(chunk.symbols)
        symbols, scored = chunk.symbols, await self._score(chunk)
        if with_prompt:
            echo = await self._prompt.echo()
            symbols = self._prompt.prompt.symbols + symbols
            scored = ChunkLogprobs(echo.logs + scored.logs, echo.top + scored.top)
        return self._format(symbols, scored, chunk.finish_reason)

    async def _score(self, chunk: GeneratedChunk) -> ChunkLogprobs:
        if not self._logprobs or not chunk.symbols:
            return ChunkLogprobs(list(map(finite_log, chunk.log_probabilities)), [])
        if self._scorer is None:
            self._scorer = await self._prompt.following()
        rows = await self._scorer.score(self._queue.model.vocabulary.encode(chunk.symbols))
        top = await top_logprobs(self._queue, rows, chunk.symbols)
        return ChunkLogprobs(list(map(finite_log, rows.logs.tolist())), top)

    def _format(self, symbols: str, scored: ChunkLogprobs, finish_reason: str | None) -> dict[str, Any]:
        text, offsets = self._decoder.decode(symbols, final=finish_reason is not None)
        choice: dict[str, Any] = {"text": text, "index": self.index, "logprobs": None}
        if self._logprobs is not None:
            is_bytes = self._queue.model.vocabulary.is_bytes
            choice["logprobs"] = {
                "tokens": [token(symbol, is_bytes=is_bytes) for symbol in symbols],
                "token_logprobs": scored.logs,
                "top_logprobs": scored.top if self._logprobs else None,
                "text_offset": offsets,
            }
        return choice | {"finish_reason": finish_reason, "seed": self.seed}


def formatters(queue: ScoringQueue, valid: ValidCompletion) -> list[ChoiceFormatter]:
    """Return one formatter for each choice of a request: n for each prompt, in order."""
    choices: list[ChoiceFormatter] = []
    for prompt in valid.prompts:
        scorer = PromptScorer(queue, prompt, valid.logprobs)
        for config in valid.config.texts():
            choices.append(ChoiceFormatter(len(choices), config.seed, scorer, queue, valid.logprobs))
    return choices


class TokenDecoder:
    """A decoder of the symbols of one choice in chunks; it keeps an incomplete character's bytes for the next chunk."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._is_bytes = vocabulary.is_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._length = 0  # characters so far

    def decode(self, symbols: str, *, final: bool) -> tuple[str, list[int]]:
        """Return the text of the symbols, and the offset of each symbol in the text of the whole choice."""
        if not self._is_bytes:
            start = self._length
            self._length += len(symbols)
            return symbols, list(range(start, self._length))
        offsets, parts = [], []
        for symbol in symbols:
            offsets.append(self._length)
            parts.append(self._characters(symbol.encode("latin-1"), final=False))
        return "".join([*parts, self._characters(b"", final=final)]), offsets

    def _characters(self, data: bytes, *, final: bool) -> str:
        text = self._decoder.decode(data, final)
        self._length += len(text)
        return text


def token(symbol: str, *, is_bytes: bool) -> str:
    """Return the token of a symbol: the character; for a byte beyond ASCII its number, as in `bytes:\\xc3`."""
    return f"bytes:\\x{ord(symbol):02x}" if is_bytes and ord(symbol) > LAST_ASCII else symbol


def finite_log(log: float) -> float:
    """Return `log` if it is finite, else `INFINITE_LOG`."""
    return log if math.isfinite(log) else INFINITE_LOG


async def top_logprobs(queue: ScoringQueue, scored: ScoredSymbols, symbols: str) -> TopLogprobs:
    """Return the likeliest tokens at the position of each symbol, and the symbol's own token, with their log p."""
    return await queue.run(_top_logprobs, scored, symbols, queue.model.vocabulary)


def _top_logprobs(scored: ScoredSymbols, symbols: str, vocabulary: Vocabulary) -> TopLogprobs:
    names = [token(symbol, is_bytes=vocabulary.is_bytes) for symbol in vocabulary.symbols]
    positions: TopLogprobs = []
    for symbol, log, ids, logs in zip(
        symbols, scored.logs.tolist(), scored.top_ids.tolist(), scored.top_logs.tolist(), strict=True
    ):
        row = {names[k]: finite_log(other) for k, other in zip(ids, logs, strict=True)}
        positions.append(row | {token(symbol, is_bytes=vocabulary.is_bytes): finite_log(log)})
    return positions

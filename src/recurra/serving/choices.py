"""The choices of a completion as they are told: the prompt, where it is to be echoed, and the pieces that follow.

The two are read differently, so that both agree with the command line. What is written comes after an unshown newline,
as `recurra sample` has it. The prompt's own log-probabilities are those of `recurra score`: its first character is
given (no log p; `score` counts ln K), and nothing stands before it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from recurra.inference.sampling import start_ids
from recurra.inference.surprise import escapes
from recurra.serving.completion_reply import Spelling, as_number, token, top_of
from recurra.serving.reader import Reader, Reading, Rows

if TYPE_CHECKING:
    from recurra.serving.completion_request import Prompt, Wanted
    from recurra.text.vocabulary import Vocabulary

Top = list[dict[str, float] | None]


class Told(NamedTuple):
    """Symbols, and where log-probabilities are wanted, that of each, and the likeliest ones at its place."""

    symbols: str
    logs: list[float | None]
    top: Top | None


class PromptReader:
    """A prompt as the model reads it, once for all its choices."""

    def __init__(self, reader: Reader, vocabulary: Vocabulary, prompt: Prompt, likeliest: int | None) -> None:
        self._reader, self._vocabulary, self._likeliest = reader, vocabulary, likeliest
        self.prompt = prompt
        self._told: Told | None = None
        self._after: Reading | None = None

    async def told(self) -> Told:
        """The prompt, as it is echoed."""
        if self._told is None:
            self._told = Told(self.prompt.symbols, *(await self._costs()))
        return self._told

    async def _costs(self) -> tuple[list[float | None], Top | None]:
        """Of each symbol its log p, of unknown ones that of their escape, and what was likeliest at its place.

        Of the first known one and of what stands before it the model expects nothing; a model of documents, which has
        read a newline before, does.
        """
        symbols, ids = self.prompt.symbols, self.prompt.ids
        if self._likeliest is None:
            return [], None
        _, known = self._vocabulary.look_up(symbols)
        rows = await Reading(self._reader, self._likeliest).read(np.concatenate([ids, ids[-1:]]))  # and after the last
        begins = self._reader.model.document_end is None  # the first known symbol has no row
        row: Any = np.cumsum(known) - known - int(begins)  # that of each place: unknown ones are skipped
        begun = row >= 0
        costs = -escapes(symbols)
        costs[known & begun] = rows.logs[row[known & begun]]
        logs: list[float | None] = list(map(as_number, costs.tolist()))
        for first in np.flatnonzero(known)[: int(begins)].tolist():
            logs[first] = None
        if not self._likeliest:
            return logs, None
        place = row[begun]
        told = Rows(costs[begun], rows.likeliest[place], rows.their_logs[place])
        top: Top = [None] * (len(symbols) - len(place))
        return logs, top + await self.tops(told, symbols[len(top) :])

    async def after(self) -> Reading:
        """What goes on reading what is written after the prompt."""
        if self._after is None:
            self._after = Reading(self._reader, self._likeliest or 0)
            await self._after.read(np.concatenate([start_ids(self._vocabulary), self.prompt.ids]))
        return self._after.copy()

    async def tops(self, rows: Rows, symbols: str) -> Top:
        """The likeliest ones of `rows`, at the places of `symbols`."""
        return await self._reader.call(top_of, rows, symbols, self._vocabulary)


class Teller:
    """One choice: what is told of it, a piece at a time."""

    def __init__(self, index: int, seed: int, prompt: PromptReader, vocabulary: Vocabulary, wanted: Wanted) -> None:
        self.index, self.seed = index, seed
        self.written = 0
        self._prompt, self._vocabulary, self._wanted = prompt, vocabulary, wanted
        self._spelling = Spelling(vocabulary)
        self._reading: Reading | None = None

    async def echo(self) -> dict[str, Any]:
        """The prompt, as the first piece of the choice."""
        return self._choice([await self._prompt.told()], None)

    async def piece(
        self, symbols: str, logs: list[float], ended: str | None, *, with_prompt: bool = False
    ) -> dict[str, Any]:
        """What was written, after the prompt if wanted; `ended` says whether, and by what, it is the last piece."""
        before = [await self._prompt.told()] if with_prompt else []
        self.written += len(symbols)
        return self._choice([*before, await self._told(symbols, logs)], ended)

    async def _told(self, symbols: str, logs: list[float]) -> Told:
        likeliest = self._wanted.likeliest
        if not likeliest or not symbols:
            return Told(symbols, list(map(as_number, logs)), [] if likeliest else None)
        if self._reading is None:
            self._reading = await self._prompt.after()
        rows = await self._reading.read(self._vocabulary.encode(symbols))
        top = await self._prompt.tops(rows, symbols)
        return Told(symbols, list(map(as_number, rows.logs.tolist())), top)

    def _choice(self, told: list[Told], ended: str | None) -> dict[str, Any]:
        symbols = "".join(one.symbols for one in told)
        text, offsets = self._spelling.spell(symbols, final=ended is not None)
        found: dict[str, Any] = {"text": text, "index": self.index, "logprobs": None}
        if self._wanted.likeliest is not None:
            found["logprobs"] = {
                "tokens": [token(symbol, is_bytes=self._vocabulary.is_bytes) for symbol in symbols],
                "token_logprobs": [log for one in told for log in one.logs],
                "top_logprobs": [row for one in told for row in one.top or []] if self._wanted.likeliest else None,
                "text_offset": offsets,
            }
        return found | {"finish_reason": ended, "seed": self.seed}


def tellers(reader: Reader, vocabulary: Vocabulary, wanted: Wanted) -> list[Teller]:
    """The choices of a request: n for each prompt, in order."""
    prompts = [PromptReader(reader, vocabulary, prompt, wanted.likeliest) for prompt in wanted.prompts]
    seeds = [config.seed for config in wanted.config.texts()]
    teller = functools.partial(Teller, vocabulary=vocabulary, wanted=wanted)
    return [
        teller(number * wanted.n + i, seed, prompt)
        for number, prompt in enumerate(prompts)
        for i, seed in enumerate(seeds)
    ]

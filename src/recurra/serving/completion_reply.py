"""What `/v1/completions` answers: choices, and their log-probabilities as OpenAI's `logprobs` has them."""

from __future__ import annotations

import codecs
import math
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

if TYPE_CHECKING:
    from recurra.serving.reader import Rows
    from recurra.text.vocabulary import Vocabulary

LOWEST = -9999.0  # told in place of a log p that is no finite number
LAST_ASCII = 0x7F


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


def token(symbol: str, *, is_bytes: bool) -> str:
    """A symbol as a token: a character; a byte beyond ASCII, which alone is no text, by its number."""
    return f"bytes:\\x{ord(symbol):02x}" if is_bytes and ord(symbol) > LAST_ASCII else symbol


def as_number(log: float) -> float:
    """A log p that JSON can hold."""
    return log if math.isfinite(log) else LOWEST


class Spelling:
    """The symbols of one choice as text, in pieces: bytes wait until their character is whole."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._is_bytes = vocabulary.is_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.length = 0  # characters so far

    def text(self, symbols: str, *, final: bool) -> str:
        """What they spell, as far as it is certain, or all of it."""
        text = self._decoder.decode(symbols.encode("latin-1"), final) if self._is_bytes else symbols
        self.length += len(text)
        return text

    def spell(self, symbols: str, *, final: bool) -> tuple[str, list[int]]:
        """The text, and where each symbol begins in all of it."""
        if not self._is_bytes:
            start = self.length
            return self.text(symbols, final=final), list(range(start, start + len(symbols)))
        offsets, parts = [], []
        for symbol in symbols:
            offsets.append(self.length)
            parts.append(self.text(symbol, final=False))
        return "".join([*parts, self.text("", final=final)]), offsets


def top_of(rows: Rows, symbols: str, vocabulary: Vocabulary) -> list[dict[str, float] | None]:
    """For each of `symbols` the likeliest tokens with their log p, and itself."""
    names = [token(symbol, is_bytes=vocabulary.is_bytes) for symbol in vocabulary.symbols]
    found: list[dict[str, float] | None] = []
    for symbol, log, ids, logs in zip(
        symbols, rows.logs.tolist(), rows.likeliest.tolist(), rows.their_logs.tolist(), strict=True
    ):
        row = {names[k]: as_number(own) for k, own in zip(ids, logs, strict=True)}
        found.append(row | {token(symbol, is_bytes=vocabulary.is_bytes): as_number(log)})
    return found

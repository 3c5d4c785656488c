"""The sampling options: the default, the help text, the check and the keyword's type of each."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from recurra.config import MAX_SEED, arguments
from recurra.errors import UsageError

CHARACTERS, TEXTS = "Choice of characters", "Texts to write"  # the groups of options in help
MAX_FLOAT = sys.float_info.max
MAX_TEXTS = 1_000_000  # texts or candidates of one call
MIN_PENALTY, MAX_PENALTY = 0.01, 100  # beyond these, logits would leave the range of float32


def _option(default: Any, help: str, group: str, rule: tuple[str, str] | None = None) -> Any:
    """Declare an option. `recurra sample` has an option of the same name with this help text in this help group.

    Args:
        default: the default value.
        help: the help text.
        group: the title of the help group.
        rule: the field of `engines.kernels.choice.Rules` with the option's value, and its dtype; None if there is none.
    """
    return dataclasses.field(default=default, metadata={"help": help, "group": group, "rule": rule})


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """The options of `SamplingConfig`. Their checks need no vocabulary."""

    max_new_tokens: int = _option(200, "Greatest number of characters to write.", TEXTS)
    temperature: float = _option(
        1.0,
        "1: the model's distribution; below 1: more predictable text; 0: always the most likely character.",
        CHARACTERS,
        ("temperature", "float32"),
    )
    top_k: int = _option(
        0, "Sample from the k most likely characters only; 0: from all characters.", CHARACTERS, ("top_k", "int64")
    )
    top_p: float = _option(
        1.0,
        "Sample from the most likely characters that together have this probability.",
        CHARACTERS,
        ("top_p", "float64"),
    )
    min_p: float = _option(
        0.0, "Least probability, relative to the most likely character.", CHARACTERS, ("min_p", "float32")
    )
    repetition_penalty: float = _option(
        1.0, "Above 1: make characters of the prompt and text less likely.", CHARACTERS, ("penalty", "float32")
    )
    stop: tuple[str, ...] = _option((), "End the text before this string. Repeat the option for more.", TEXTS)
    allow: str | None = _option(None, "Write only these characters.", CHARACTERS)
    ban: str = _option("", "Never write these characters.", CHARACTERS)
    seed: int = _option(0, "Random seed; the same seed gives the same text.", TEXTS)
    num_return_sequences: int = _option(1, "Number of texts; text i (from 0) has the seed SEED + i.", TEXTS)
    best_of: int = _option(1, "Number of candidates; the candidate with the highest mean log p is written.", TEXTS)

    def __post_init__(self) -> None:
        arguments.unwrap_fields(self)
        for name in ("max_new_tokens", "top_k"):
            _require_whole(name, getattr(self, name), 0, MAX_SEED)
        for name in ("num_return_sequences", "best_of"):
            _require_whole(name, getattr(self, name), 1, MAX_TEXTS)
        _require_whole("seed", self.seed, 0, MAX_SEED - self.num_return_sequences + 1)
        _require_number("temperature", self.temperature, 0, MAX_FLOAT)
        for name in ("top_p", "min_p"):
            _require_number(name, getattr(self, name), 0, 1)
        _require_number("repetition_penalty", self.repetition_penalty, MIN_PENALTY, MAX_PENALTY)
        for name in ("allow", "ban"):
            value = getattr(self, name)
            if not (isinstance(value, str) or (value is None and name == "allow")):
                raise UsageError(f"`{name}` must be a str of characters; got {value!r}.")
        object.__setattr__(self, "stop", _strings(self.stop))


class SamplingSettings(TypedDict, total=False):
    """The fields of `SamplingConfig` as keyword arguments."""

    max_new_tokens: int
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    repetition_penalty: float
    stop: str | Sequence[str]
    allow: str | None
    ban: str
    seed: int
    num_return_sequences: int
    best_of: int


def _require_whole(name: str, value: object, low: int, high: int) -> None:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not (is_whole and low <= value <= high):  # type: ignore[operator]  # an int here
        raise UsageError(f"`{name}` must be a whole number from {low} to {high:,}; got {arguments.short_repr(value)}.")


def _require_number(name: str, value: object, low: float, high: float) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (is_number and low <= value <= high):  # type: ignore[operator]  # a number here
        expected = f"finite number, at least {low}" if high == MAX_FLOAT else f"number from {low} to {high}"
        raise UsageError(f"`{name}` must be a {expected}; got {arguments.short_repr(value)}.")


def _strings(value: Any) -> tuple[str, ...]:
    value = [arguments.unwrap_numpy(string) for string in value] if isinstance(value, (list, tuple)) else value
    strings = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, (list, tuple)) else (value,)
    wrong = [string for string in strings if not isinstance(string, str) or not string]
    if wrong:
        raise UsageError(f"`stop` must be strings of one character or more; got {wrong[0]!r}.")
    return strings

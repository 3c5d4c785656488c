"""The options of sampling: each with its default, its help, the check of its value, and its type as a keyword."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from recurra.config import MAX_SEED, arguments
from recurra.errors import UsageError

CHARACTERS, TEXTS = "Which characters", "Which texts"  # the groups of options in help
GREATEST = sys.float_info.max
MAX_TEXTS = 1_000_000  # texts of one call
WEAKEST, STRONGEST = 0.01, 100  # penalties: beyond them logits leave the range of float32


def _option(default: Any, help: str, group: str, rule: tuple[str, str] | None = None) -> Any:
    """Declare an option; `recurra sample` has one of its name, with this help in this group.

    `rule` is the field of `engines.kernels.choice.Rules` that has its number, and the type of the number there.
    """
    return dataclasses.field(default=default, metadata={"help": help, "group": group, "rule": rule})


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """The options of `SamplingConfig`, which need no vocabulary to be checked."""

    max_new_tokens: int = _option(200, "Characters to write, at most.", TEXTS)
    temperature: float = _option(
        1.0, "1: as learned; less: safer; 0: always the likeliest.", CHARACTERS, ("temperature", "float32")
    )
    top_k: int = _option(0, "Only the k likeliest characters; 0: all.", CHARACTERS, ("top_k", "int64"))
    top_p: float = _option(
        1.0, "Only the likeliest that together have this probability.", CHARACTERS, ("top_p", "float64")
    )
    min_p: float = _option(
        0.0, "Only those at least so likely, as a share of the likeliest.", CHARACTERS, ("min_p", "float32")
    )
    repetition_penalty: float = _option(
        1.0, "Above 1: characters that stand in prompt or text are less likely.", CHARACTERS, ("penalty", "float32")
    )
    stop: tuple[str, ...] = _option((), "End before this string, where it comes; may be given often.", TEXTS)
    allow: str | None = _option(None, "Only these characters.", CHARACTERS)
    ban: str = _option("", "None of these characters.", CHARACTERS)
    seed: int = _option(0, "The same seed writes the same text.", TEXTS)
    num_return_sequences: int = _option(1, "Texts to write; number i (from 0) has seed SEED + i.", TEXTS)
    best_of: int = _option(1, "Each text is the likeliest, by the character, of so many candidates.", TEXTS)

    def __post_init__(self) -> None:
        arguments.unwrap_fields(self)
        for name in ("max_new_tokens", "top_k"):
            _require_whole(name, getattr(self, name), 0, MAX_SEED)
        for name in ("num_return_sequences", "best_of"):
            _require_whole(name, getattr(self, name), 1, MAX_TEXTS)
        _require_whole("seed", self.seed, 0, MAX_SEED - self.num_return_sequences + 1)
        _require_number("temperature", self.temperature, 0, GREATEST)
        for name in ("top_p", "min_p"):
            _require_number(name, getattr(self, name), 0, 1)
        _require_number("repetition_penalty", self.repetition_penalty, WEAKEST, STRONGEST)
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
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not (whole and low <= value <= high):  # type: ignore[operator]  # an int here
        raise UsageError(f"`{name}` must be a whole number from {low} to {high:,}; got {arguments.short_repr(value)}.")


def _require_number(name: str, value: object, low: float, high: float) -> None:
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (good and low <= value <= high):  # type: ignore[operator]  # a number here
        wanted = f"finite number, at least {low}" if high == GREATEST else f"number from {low} to {high}"
        raise UsageError(f"`{name}` must be a {wanted}; got {arguments.short_repr(value)}.")


def _strings(value: Any) -> tuple[str, ...]:
    value = [arguments.unwrap_numpy(one) for one in value] if isinstance(value, (list, tuple)) else value
    found = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, (list, tuple)) else (value,)
    wrong = [one for one in found if not isinstance(one, str) or not one]
    if wrong:
        raise UsageError(f"`stop` must be strings of one character or more; got {wrong[0]!r}.")
    return found

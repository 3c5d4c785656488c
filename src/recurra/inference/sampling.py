"""How to write: the settings, what each of them means, and what makes no sense.

With z the model's logits and p = softmax(z), what is set is applied in the order of Hugging Face's `generate`:

repetition_penalty  θ: z_k / θ where z_k >= 0, z_k θ where z_k < 0, for every character k of the prompt and of the text
                    so far, however often (Keskar et al. 2019). There is no window: after some hundred characters of
                    prose nearly all have been seen. The unshown newline before the prompt does not count.
allow, ban          characters that may be written (all, unless named), and that may not: z_k = -infinity
temperature         z / temperature: 1 as learned, less: safer, 0: always the likeliest, whatever follows
top_k               the k likeliest; 0: all (Fan et al. 2018)
top_p               the likeliest that together have this share of what top_k left (Holtzman et al. 2020)
min_p               those at least min_p times as likely as the likeliest (Nguyen et al. 2024)

Then one is drawn from what is left. Characters of equal probability are kept or left out together, where others let
the order of their sorting decide; the likeliest always stays.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.engines.kernels.sampling import Rules
from recurra.errors import UsageError
from recurra.text.vocabulary import name_characters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.text.vocabulary import Vocabulary

START = "\n"  # a sample begins as if a line had just ended
COLDEST, HOTTEST = 1e-30, 1e38  # a temperature below is 0: float32 could not divide by it; one above is as good as it
GREATEST = sys.float_info.max
MOST = 1_000_000  # texts of one call
WEAKEST, STRONGEST = 0.01, 100  # penalties: beyond them logits leave the range of float32


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How to write up to `max_new_tokens` characters; the module says what each setting means.

    stop
        strings: the text ends before the first of them that it comes to; they are looked for in what is written, not
        in the prompt
    seed
        with the prompt and the other settings it decides the text
    num_return_sequences
        texts for a prompt; number i (from 0) has the seed `seed` + i
    best_of
        each text is that of so many candidates whose characters have the highest mean log p, by the model itself,
        before the rules above; the first of them is the text of best_of = 1
    """

    max_new_tokens: int = 200
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    allow: str | None = None
    ban: str = ""
    seed: int = 0
    num_return_sequences: int = 1
    best_of: int = 1

    def __post_init__(self) -> None:
        for name in ("max_new_tokens", "seed", "top_k"):
            _require_whole(name, getattr(self, name))
        for name in ("num_return_sequences", "best_of"):
            _require_whole(name, getattr(self, name), 1, MOST)
        _require_number("temperature", self.temperature, 0, GREATEST)
        for name in ("top_p", "min_p"):
            _require_number(name, getattr(self, name), 0, 1)
        _require_number("repetition_penalty", self.repetition_penalty, WEAKEST, STRONGEST)
        for name in ("allow", "ban"):
            value = getattr(self, name)
            if not (isinstance(value, str) or (value is None and name == "allow")):
                raise UsageError(f"`{name}` must be a str of characters; got {value!r}.")
        object.__setattr__(self, "stop", _strings(self.stop))

    def check(self, vocabulary: Vocabulary) -> None:
        """UsageError where these settings leave a model with this vocabulary nothing to write."""
        allowed_ids(self, vocabulary)

    def texts(self) -> Iterator[SamplingConfig]:
        """The settings of each text by itself."""
        for i in range(self.num_return_sequences):
            yield dataclasses.replace(self, seed=self.seed + i, num_return_sequences=1)


def _require_whole(name: str, value: object, low: int = 0, high: int | None = None) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not (whole and low <= value < (2**63 if high is None else high + 1)):  # type: ignore[operator]  # an int here
        wanted = f", at least {low}" if high is None else f" from {low} to {high:,}"
        raise UsageError(f"`{name}` must be a whole number{wanted}; got {value!r}.")


def _require_number(name: str, value: object, low: float, high: float) -> None:
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (good and low <= value <= high):  # type: ignore[operator]  # a number here
        wanted = f"finite number, at least {low}" if high == GREATEST else f"number from {low} to {high}"
        raise UsageError(f"`{name}` must be a {wanted}; got {value!r}.")


def _strings(value: Any) -> tuple[str, ...]:
    found = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, (list, tuple)) else (value,)
    wrong = [one for one in found if not isinstance(one, str) or not one]
    if wrong:
        raise UsageError(f"`stop` must be strings of one character or more; got {wrong[0]!r}.")
    return found


def start_ids(vocabulary: Vocabulary) -> NDArray[np.integer]:
    """The unshown character before every sample: a newline, else the vocabulary's first symbol."""
    ids, _ = vocabulary.encode_known(START)
    return ids if len(ids) else np.zeros(1, np.int64)


def rules_of(config: SamplingConfig, vocabulary: Vocabulary, prompt: NDArray[np.integer], width: int) -> Rules:
    """The settings of one stream as the kernel takes them, K padded to `width`; `prompt` are the ids that were read."""
    bias = np.full((1, width), -np.inf, np.float32)
    bias[0, allowed_ids(config, vocabulary)] = 0
    seen = np.zeros((1, len(vocabulary)), np.bool_)
    seen[0, prompt] = True
    temperature = 0.0 if config.temperature < COLDEST else min(config.temperature, HOTTEST)
    return Rules(
        temperature=np.array([temperature], np.float32),
        top_k=np.array([config.top_k], np.int64),
        top_p=np.array([config.top_p], np.float64),
        min_p=np.array([config.min_p], np.float32),
        penalty=np.array([config.repetition_penalty], np.float32),
        bias=bias,
        seen=seen,
    )


def allowed_ids(config: SamplingConfig, vocabulary: Vocabulary) -> NDArray[np.integer]:
    """The ids that may be written; UsageError where there is none."""
    for name, characters in (("allow", config.allow or ""), ("ban", config.ban)):
        if vocabulary.is_bytes and not characters.isascii():
            parts = name_characters("".join(c for c in characters if not c.isascii()))
            raise UsageError(f"`{name}` has {parts}: this model writes bytes, of which they are several.")
    allowed = vocabulary.symbols if config.allow is None else config.allow
    ids, _ = vocabulary.encode_known("".join(set(allowed) - set(config.ban)))
    if not len(ids):
        raise UsageError(
            "`allow` and `ban` leave no character that could be written.",
            hint=f"the model knows {name_characters(vocabulary.symbols)}.",
        )
    return ids

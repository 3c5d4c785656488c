"""The sampling settings: their meaning, their ranges, and the combinations that are refused.

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
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from recurra.config import arguments
from recurra.engines.kernels.choice import Rules
from recurra.errors import UsageError
from recurra.inference.sampling_options import SamplingOptions, SamplingSettings
from recurra.text.equivalents import respell
from recurra.text.escapes import first_escape
from recurra.text.vocabulary import name_characters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.text.vocabulary import Vocabulary

START = "\n"  # a sample begins as if a line had just ended
COLDEST, HOTTEST = 1e-30, 1e38  # a temperature below is 0: float32 could not divide by it; one above is as good as it
IN_QUOTES = 'write the character itself, which is "\\n" or the like in Python and in JSON.'


class ImpossibleCharacters(NamedTuple):
    """The distinct `characters` of a `setting` that can never be generated: unknown ones, or known and excluded ones.

    `escape` is an escape that stands in the setting as it was typed, such as a backslash and n.
    """

    setting: str
    characters: str
    is_known: bool = False
    escape: str | None = None

    def message(self, name: str) -> str:
        """Return the sentence for the user, whose interface has a `name` for the setting."""
        why = "which `allow` and `ban` exclude" if self.is_known else "which the model's vocabulary does not have"
        return f"`{name}` contains {name_characters(self.characters)}, {why}; it can never be generated."

    def __str__(self) -> str:
        """Return the sentence with what to do about it, for Python and JSON."""
        remedy = "" if self.escape is None else f" {self.escape} is a backslash and a letter here: {IN_QUOTES}"
        return self.message(self.setting) + remedy


@dataclass(frozen=True, kw_only=True)
class SamplingConfig(SamplingOptions):
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

    def adapt(self, vocabulary: Vocabulary) -> tuple[SamplingConfig, list[ImpossibleCharacters]]:
        """Return settings that a model with `vocabulary` follows in the same way, and what it cannot write of these.

        Strings are in the canonical form that the model knows. Stop strings that it can never write, and unknown
        characters of `allow` and `ban`, are left out. Raises UsageError where nothing is left to write, and for a
        character of `ban` that the model writes as several, such as e and an accent: other texts need each of them.
        """
        if not self.stop and self.allow is None and not self.ban:
            return self, []
        allow = None if self.allow is None else respell(self.allow, vocabulary)[0]
        config = dataclasses.replace(self, allow=allow, ban=_banned(self.ban, vocabulary))
        possible = set(vocabulary.decode(allowed_ids(config, vocabulary)))
        found = [] if vocabulary.is_bytes else _unknown({"allow": allow or "", "ban": config.ban}, vocabulary)
        stop = [respell(one, vocabulary)[0] for one in self.stop]
        for one in stop:
            if missing := dict.fromkeys(symbol for symbol in vocabulary.spell(one) if symbol not in possible):
                found += _unknown({"stop": one}, vocabulary) or [
                    ImpossibleCharacters("stop", "".join(missing), is_known=True)
                ]
        writable = tuple(one for one in stop if set(vocabulary.spell(one)) <= possible)
        allow = None if allow is None else _known(allow, vocabulary)
        return dataclasses.replace(config, stop=writable, allow=allow, ban=_known(config.ban, vocabulary)), found

    def texts(self) -> Iterator[SamplingConfig]:
        """The settings of each text by itself."""
        for i in range(self.num_return_sequences):
            yield dataclasses.replace(self, seed=self.seed + i, num_return_sequences=1)


def config_of(settings: SamplingSettings) -> SamplingConfig:
    """Return the configuration with these `settings`; UsageError for a name that it does not have."""
    arguments.require_known(settings, [field.name for field in dataclasses.fields(SamplingConfig)])
    return SamplingConfig(**cast("dict[str, Any]", settings))


def _known(characters: str, vocabulary: Vocabulary) -> str:
    return vocabulary.decode(vocabulary.encode_known(characters)[0])


def _banned(ban: str, vocabulary: Vocabulary) -> str:
    """Return `ban` in the canonical form that `vocabulary` has; UsageError for a character that is several there."""
    for character in dict.fromkeys(ban):
        parts = respell(character, vocabulary)[0]
        if len(parts) > 1:
            raise UsageError(
                f"`ban` has {name_characters(character)}, which this model writes as {name_characters(parts)}.",
                hint="ban one of these.",
            )
    return respell(ban, vocabulary)[0]


def _unknown(settings: dict[str, str], vocabulary: Vocabulary) -> list[ImpossibleCharacters]:
    """Return the settings with characters that a model with `vocabulary` does not know."""
    found = {name: vocabulary.encode_known(vocabulary.spell(value))[1] for name, value in settings.items()}
    return [
        ImpossibleCharacters(name, unknown, escape=first_escape(settings[name]) if "\\" in unknown else None)
        for name, unknown in found.items()
        if unknown
    ]


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
    config = dataclasses.replace(config, temperature=temperature)
    rules = {field.metadata["rule"]: getattr(config, field.name) for field in dataclasses.fields(config)}
    numbers = {rule[0]: np.array([number], rule[1]) for rule, number in rules.items() if rule is not None}
    return Rules(**numbers, bias=bias, seen=seen)


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

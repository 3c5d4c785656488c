"""The sampling settings: their checks against a vocabulary, and the rules for the kernel `choice`.

With z the logits and p = softmax(z), the settings apply in the order of `generate` in Hugging Face's transformers:

repetition_penalty  θ: z_k / θ if z_k >= 0, else z_k θ, for every character k of the prompt and of the text so far, once
                    (Keskar et al. 2019). All earlier characters count: after some hundred characters of prose, nearly
                    all have occurred. The hidden newline before the prompt does not count.
allow, ban          z_k = -infinity for a character that is not in `allow`, or is in `ban`
temperature         z / temperature; 0 chooses the most likely character, and the settings below have no effect
top_k               keep the k most likely characters; 0 keeps all (Fan et al. 2018)
top_p               keep the most likely characters that together have this share of the probability after top_k
                    (Holtzman et al. 2020)
min_p               keep the characters at least min_p times as likely as the most likely one (Nguyen et al. 2024)

The draw is last. Characters of equal probability are kept or dropped together; other implementations separate them in
the order of their sort. The most likely character is always kept.
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

START = "\n"  # the hidden character before a sample
MIN_TEMPERATURE, MAX_TEMPERATURE = 1e-30, 1e38  # float32 cannot divide by less (0 then); more changes nothing
IN_QUOTES = 'write the character itself; in Python and in JSON, "\\n" is a newline.'


class ImpossibleCharacters(NamedTuple):
    """The distinct characters of a setting that can never be generated.

    Args:
        setting: the name of the setting.
        characters: the characters.
        is_known: True if the vocabulary has them, and `allow` and `ban` exclude them.
        escape: an escape sequence in the setting that was not resolved, such as a backslash and n; else None.
    """

    setting: str
    characters: str
    is_known: bool = False
    escape: str | None = None

    def message(self, name: str) -> str:
        """Return a sentence for the user. `name` is the setting's name in the interface, for example `--stop`."""
        why = "which `allow` and `ban` exclude" if self.is_known else "which the model's vocabulary does not have"
        return f"`{name}` contains {name_characters(self.characters)}, {why}; it can never be generated."

    def __str__(self) -> str:
        """Return the message, followed by advice about escapes in Python and in JSON."""
        remedy = "" if self.escape is None else f" {self.escape} is a backslash and a letter here: {IN_QUOTES}"
        return self.message(self.setting) + remedy


@dataclass(frozen=True, kw_only=True)
class SamplingConfig(SamplingOptions):
    """The sampling settings of up to `max_new_tokens` characters.

    Args:
        max_new_tokens: number of characters to write (of bytes, for a model of bytes).
        temperature: 1 samples from the model's distribution; below 1, likely characters become more likely; 0 writes
            the most likely character each time.
        top_k: sample only from the k most likely characters; 0 from all.
        top_p: sample only from the most likely characters that together have this probability.
        min_p: sample only from characters at least this many times as likely as the most likely one.
        repetition_penalty: above 1 makes the characters of the prompt and the text so far less likely.
        stop: strings. The text ends before the first of them; a string in the prompt does not count.
        allow: the only characters that may be written; None allows all.
        ban: characters that are never written.
        seed: the random seed. Together with the prompt and the other settings it determines the text.
        num_return_sequences: number of texts for each prompt. Text i (from 0) has the seed `seed` + i.
        best_of: number of candidates for each text. The candidate with the highest mean log p by the model itself,
            before any sampling rule, is returned. The first candidate is the text of best_of = 1.

    Raises:
        UsageError: if a value has a wrong type or is out of range.
    """

    def adapt(self, vocabulary: Vocabulary) -> tuple[SamplingConfig, list[ImpossibleCharacters]]:
        """Adapt the settings to a vocabulary.

        Strings are converted to the canonical form that the vocabulary has. Stop strings that can never be written, and
        unknown characters of `allow` and `ban`, are removed.

        Args:
            vocabulary: the model's vocabulary.

        Returns:
            The settings for the model, and the characters that can never be written.

        Raises:
            UsageError: if no character may be written, or if the vocabulary has a character of `ban` only as several
                characters, such as e and an accent, each of which other texts need.
        """
        if not self.stop and self.allow is None and not self.ban:
            return self, []
        allow = None if self.allow is None else respell(self.allow, vocabulary)[0]
        config = dataclasses.replace(self, allow=allow, ban=_banned(self.ban, vocabulary))
        possible = set(vocabulary.decode(allowed_ids(config, vocabulary)))
        impossible = [] if vocabulary.is_bytes else _unknown({"allow": allow or "", "ban": config.ban}, vocabulary)
        stop = [respell(string, vocabulary)[0] for string in self.stop]
        for string in stop:
            if excluded := dict.fromkeys(symbol for symbol in vocabulary.spell(string) if symbol not in possible):
                impossible += _unknown({"stop": string}, vocabulary) or [
                    ImpossibleCharacters("stop", "".join(excluded), is_known=True)
                ]
        writable = tuple(string for string in stop if set(vocabulary.spell(string)) <= possible)
        allow = None if allow is None else _known(allow, vocabulary)
        return dataclasses.replace(config, stop=writable, allow=allow, ban=_known(config.ban, vocabulary)), impossible

    def texts(self) -> Iterator[SamplingConfig]:
        """Yield one configuration, with its seed, for each of the `num_return_sequences` texts."""
        for i in range(self.num_return_sequences):
            yield dataclasses.replace(self, seed=self.seed + i, num_return_sequences=1)


def config_of(settings: SamplingSettings) -> SamplingConfig:
    """Return the configuration with these `settings`. Raise UsageError for an unknown name."""
    arguments.require_known(settings, [field.name for field in dataclasses.fields(SamplingConfig)])
    return SamplingConfig(**cast("dict[str, Any]", settings))


def _known(characters: str, vocabulary: Vocabulary) -> str:
    """Return the characters of the string `characters` that are in the vocabulary."""
    return vocabulary.decode(vocabulary.encode_known(characters)[0])


def _banned(ban: str, vocabulary: Vocabulary) -> str:
    """Return `ban` in the canonical form of the vocabulary.

    Raises UsageError for a character that the vocabulary has only as several characters.
    """
    for character in dict.fromkeys(ban):
        parts = respell(character, vocabulary)[0]
        if len(parts) > 1:
            raise UsageError(
                f"`ban` contains {name_characters(character)}, which this model writes as {name_characters(parts)}.",
                hint="ban one of these characters.",
            )
    return respell(ban, vocabulary)[0]


def _unknown(settings: dict[str, str], vocabulary: Vocabulary) -> list[ImpossibleCharacters]:
    """Return an entry for each setting with characters that are not in the vocabulary."""
    unknown_by_name = {name: vocabulary.encode_known(vocabulary.spell(value))[1] for name, value in settings.items()}
    return [
        ImpossibleCharacters(name, unknown, escape=first_escape(settings[name]) if "\\" in unknown else None)
        for name, unknown in unknown_by_name.items()
        if unknown
    ]


def start_ids(vocabulary: Vocabulary) -> NDArray[np.integer]:
    """Return the id of the hidden character before every sample: the newline, or else the vocabulary's first symbol."""
    ids, _ = vocabulary.encode_known(START)
    return ids if len(ids) else np.zeros(1, np.int64)


def rules_of(config: SamplingConfig, vocabulary: Vocabulary, prompt: NDArray[np.integer], width: int) -> Rules:
    """Return the settings of one stream for the kernel.

    Args:
        config: the adapted settings.
        vocabulary: the model's vocabulary.
        prompt: the ids of the prompt.
        width: number of symbols K with padding.
    """
    bias = np.full((1, width), -np.inf, np.float32)
    bias[0, allowed_ids(config, vocabulary)] = 0
    seen = np.zeros((1, len(vocabulary)), np.bool_)
    seen[0, prompt] = True
    temperature = 0.0 if config.temperature < MIN_TEMPERATURE else min(config.temperature, MAX_TEMPERATURE)
    config = dataclasses.replace(config, temperature=temperature)
    rules = {field.metadata["rule"]: getattr(config, field.name) for field in dataclasses.fields(config)}
    numbers = {rule[0]: np.array([number], rule[1]) for rule, number in rules.items() if rule is not None}
    return Rules(**numbers, bias=bias, seen=seen)


def allowed_ids(config: SamplingConfig, vocabulary: Vocabulary) -> NDArray[np.integer]:
    """Return the ids that may be written. Raise UsageError if there is none."""
    for name, characters in (("allow", config.allow or ""), ("ban", config.ban)):
        if vocabulary.is_bytes and not characters.isascii():
            parts = name_characters("".join(c for c in characters if not c.isascii()))
            raise UsageError(
                f"`{name}` contains {parts}; this model writes bytes, and UTF-8 needs several bytes for them.",
                hint="use ASCII characters.",
            )
    allowed = vocabulary.symbols if config.allow is None else config.allow
    ids, _ = vocabulary.encode_known("".join(set(allowed) - set(config.ban)))
    if not len(ids):
        raise UsageError(
            "`allow` and `ban` exclude every character of the model's vocabulary.",
            hint=f"allow a character of the vocabulary: {name_characters(vocabulary.symbols)}.",
        )
    return ids

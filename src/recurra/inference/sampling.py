"""Writing: the model reads what it has written, and draws the next character from its own distribution."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recurra.engines.kernels.sampling import tempered_weights
from recurra.errors import UsageError
from recurra.randomness import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.engines import Network
    from recurra.network.network import State
    from recurra.text.vocabulary import Vocabulary

START = "\n"  # a sample begins as if a line had just ended
COLDEST = 1e-30  # a temperature below is 0: float32 could not divide by it
CHUNK = 256  # characters of a prompt read in one call: a long one takes no more memory


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How to write: `max_new_tokens` characters from `seed`, at `temperature`.

    Temperature 1 draws as the model has learned, 0 always takes the likeliest.
    """

    max_new_tokens: int = 200
    temperature: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        _require_whole("max_new_tokens", self.max_new_tokens)
        _require_whole("seed", self.seed)
        good = isinstance(self.temperature, (int, float)) and not isinstance(self.temperature, bool)
        if not (good and 0 <= self.temperature <= sys.float_info.max):
            raise UsageError(f"`temperature` must be a finite number, at least 0; got {self.temperature!r}.")


def _require_whole(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise UsageError(f"`{name}` must be a whole number, at least 0; got {value!r}.")


def start_ids(vocabulary: Vocabulary) -> NDArray[np.integer]:
    """The unshown character before every sample: a newline, else the vocabulary's first symbol."""
    ids, _ = vocabulary.encode_known(START)
    return ids if len(ids) else np.zeros(1, np.int64)


def choose(log_probabilities: NDArray[np.float32], temperature: float, uniform: float) -> int:
    """The id that `uniform` in [0, 1) falls on: p_k ∝ exp(log p_k / temperature), summed in order of k in float64."""
    if temperature < COLDEST:
        return int(np.argmax(log_probabilities))
    cumulative = np.cumsum(tempered_weights(log_probabilities, temperature), dtype=np.float64)
    return int(min(np.searchsorted(cumulative, uniform * cumulative[-1], side="right"), len(cumulative) - 1))


def sample_ids(network: Network, state: State, prompt: NDArray[np.integer], config: SamplingConfig) -> Iterator[int]:
    """Ids written after the ids `prompt` (at least one), one at a time; `state` is what came before the prompt."""
    uniforms = stream(config.seed, "sample")
    ids = prompt
    for _ in range(config.max_new_tokens):
        for start in range(0, len(ids), CHUNK):
            log_probabilities, state = network.log_probabilities(ids[start : start + CHUNK], state)
        uniform = float(uniforms.uniform(1)[0])
        ids = np.array([choose(log_probabilities[-1], config.temperature, uniform)])
        yield int(ids[0])

"""Networks of every kind for the tests of exports, and their log probabilities of a text."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from recurra.config import ModelConfig
from recurra.model import LanguageModel
from recurra.network.cells import CELLS
from recurra.network.parameters import initialize
from recurra.text import named_books
from recurra.text.vocabulary import Vocabulary

Array = npt.NDArray[Any]
H = 24
CONFIGS = [
    ModelConfig(cell=spec.name, activation=activation, hidden_size=H, layers=layers)
    for spec in CELLS.values()
    if spec.torch is not None
    for activation in spec.activations
    for layers in (1, 2)
]
SYMBOLS = "\n abcé—😀"


def name_of(config: ModelConfig) -> str:
    return f"{config.cell}-{config.activation}-{config.layers}"


def make(config: ModelConfig, vocabulary: Vocabulary, seed: int = 1) -> LanguageModel:
    """Create a network with large weights and biases, and its parameters in reversed order of names.

    One bias is -0.0, which also occurs after a training.
    """
    parameters = initialize(config, len(vocabulary), seed=seed, scale=None)
    draw = np.random.default_rng(seed)
    for name, array in parameters.items():
        if array.ndim == 1:
            parameters[name] = draw.normal(0, 0.5, array.shape).astype(np.float32)
            parameters[name][1] = -0.0
    parameters["V"] = (parameters["V"] * 2).astype(np.float32)
    return LanguageModel(config, vocabulary, dict(sorted(parameters.items(), reverse=True)))


def small(config: ModelConfig | None = None) -> LanguageModel:
    """Create a network for eight characters, of one to four bytes in UTF-8."""
    return make(config or ModelConfig(hidden_size=5), Vocabulary.of(SYMBOLS))


def same(one: LanguageModel, other: LanguageModel) -> bool:
    """Return True if two models are equal in every bit."""
    return one.config == other.config and one.vocabulary == other.vocabulary and one.sha256 == other.sha256


@cache
def of_bible(config: ModelConfig) -> LanguageModel:
    """Create a network for the characters of the King James Bible."""
    return make(config, named_books.book("kjv").vocabulary)


@cache
def bible_ids() -> Array:
    """Return the ids of 10,001 characters of the King James Bible."""
    text = named_books.book("kjv")
    return text.ids[1_000_000:1_010_001].astype(np.int64)


@cache
def bible_log_probabilities(config: ModelConfig) -> Array:
    """Return the log probabilities (10,000, K) of the compiled engine for `bible_ids`."""
    model = of_bible(config)
    return np.asarray(model.reader.log_probabilities(bible_ids()[:-1], model.zero_state())[0])

"""Scores: -log p of every character exactly once, equal to the float64 reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.config import ModelConfig
from recurra.engines import create_network
from recurra.inference import scoring
from recurra.inference.scoring import Score, evaluate
from recurra.model import LanguageModel
from recurra.network import network
from recurra.network.parameters import initialize
from recurra.text.vocabulary import Vocabulary

CONFIG = ModelConfig(hidden_size=8)
SYMBOLS = "\n abcd"
TEXT = "abacada dabcab\ncad bad dad\nabba " * 12
texts = st.text(SYMBOLS, min_size=1, max_size=40)


def make_model(symbols: str = SYMBOLS, config: ModelConfig = CONFIG) -> LanguageModel:
    vocabulary = Vocabulary.of(symbols)
    return LanguageModel(config, vocabulary, initialize(config, len(vocabulary), seed=1, scale=0.6))


MODEL = make_model()


def exact_nats(model: LanguageModel, text: str) -> float:
    """Return ln K plus the sum of -log p over the other characters, by the float64 network."""
    ids = model.vocabulary.encode(text)
    parameters = {name: array.astype(np.float64) for name, array in model.parameters.items()}
    state = network.zero_state(model.config, 1)
    passed = network.forward(model.config, parameters, ids[:, np.newaxis], state)
    logarithms = passed.log_probabilities[:-1, 0][np.arange(len(ids) - 1), ids[1:]]
    return math.log(len(model.vocabulary)) - float(logarithms.sum())


@pytest.mark.parametrize("layers", [1, 2])
def test_score_equals_the_float64_reference(layers: int) -> None:
    model = make_model(config=ModelConfig(hidden_size=8, layers=layers))
    score = model.score(TEXT)
    assert score.characters == len(TEXT)
    assert score.nats == pytest.approx(exact_nats(model, TEXT), rel=1e-5)
    assert abs(score.nats_per_character - math.log(6)) > 1e-3  # the distribution is not uniform


def test_first_character_costs_ln_k() -> None:
    assert {MODEL.score(character).nats for character in SYMBOLS} == {math.log(6)}


@given(texts, texts)
def test_log_p_of_a_text_is_the_sum_over_its_parts(a: str, b: str) -> None:
    trained = create_network(CONFIG, MODEL.parameters)
    ids = MODEL.vocabulary.encode(a)
    _, state = trained.log_probabilities(ids, MODEL.zero_state())
    before_last = MODEL.zero_state()
    if len(ids) > 1:
        _, before_last = trained.log_probabilities(ids[:-1], before_last)
    assert state.h.any()
    given_a = len(b) * evaluate(trained, MODEL.vocabulary.encode(a[-1] + b), before_last)
    assert MODEL.score(a + b).nats == pytest.approx(MODEL.score(a).nats + given_a, rel=1e-14)


@given(texts)
def test_probabilities_of_the_next_character_sum_to_one(text: str) -> None:
    before = MODEL.score(text).nats
    total = math.fsum(math.exp(before - MODEL.score(text + symbol).nats) for symbol in SYMBOLS)
    assert total == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64, 100_000])
def test_chunk_length_changes_no_bit(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    expected = MODEL.score(TEXT).nats
    assert len(TEXT) > scoring.CHUNK
    monkeypatch.setattr(scoring, "CHUNK", chunk)
    assert MODEL.score(TEXT).nats == expected


def test_unknown_character_costs_an_escape_and_its_utf_8() -> None:
    plain = MODEL.score("abcab")
    score = MODEL.score("aébc😀ab")
    # é is 2 bytes, 24 + 16 bits; 😀 is 4 bytes, 24 + 32 bits: 96 bits.
    assert score.nats == pytest.approx(plain.nats + 96 * math.log(2), rel=1e-14)
    assert (score.characters, score.unknown_characters, plain.unknown_characters) == (7, 2, 0)
    again = MODEL.score("éaéé")  # each occurrence counts
    assert again.nats == pytest.approx(math.log(6) + 3 * 40 * math.log(2), rel=1e-14)
    assert again.unknown_characters == 3
    alone = MODEL.score("é")
    assert alone == Score(1, pytest.approx(40 * math.log(2)), 1, bytes=2)  # type: ignore[arg-type]


def test_model_of_bytes_counts_bytes_and_has_no_unknown() -> None:
    config = ModelConfig(hidden_size=8)
    model = LanguageModel(config, Vocabulary.bytes(), initialize(config, 256, seed=1))
    score = model.score("é😀\udcff")  # the last character is the byte FF from a command line
    assert (score.characters, score.unknown_characters) == (7, 0)
    assert score.bits_per_character == pytest.approx(8, rel=1e-3)


def test_means_by_hand() -> None:
    score = Score(characters=4, nats=4 * math.log(8))
    assert score.nats_per_character == pytest.approx(math.log(8))
    assert score.bits_per_character == pytest.approx(3)  # 1 of 8 equally likely characters is 3 bits
    assert score.perplexity == pytest.approx(8)
    assert Score(1, 1e4).perplexity == math.inf


@pytest.mark.parametrize(("cell", "layers"), [("lstm", 2), ("gru", 1), ("elman", 2), ("elman", 1)])
@pytest.mark.parametrize("length", [2, 300, 5000, 7013])
def test_estimate_is_nearly_the_evaluation(cell: str, layers: int, length: int) -> None:
    config = ModelConfig(cell=cell, hidden_size=8, layers=layers)
    vocabulary = Vocabulary.of(SYMBOLS)
    model = LanguageModel(config, vocabulary, initialize(config, len(vocabulary), seed=1, scale=0.2))  # forgets
    ids = np.resize(model.vocabulary.encode(TEXT), length)
    assert model.estimate(ids) == pytest.approx(model.evaluate(ids), abs=1e-6)


def test_estimate_counts_every_character_but_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """If V is zero, characters are independent, and the estimate is the mean loss of all but the first."""
    config = ModelConfig(cell="gru", hidden_size=8)
    model = make_model(config=config)
    V, c = np.zeros_like(model.parameters["V"]), np.arange(len(SYMBOLS))
    model = model.with_parameters({"V": V, "c": c})
    ids = np.concatenate([np.zeros(4500, np.uint8), np.full(3, 5, np.uint8)])
    expected = (4499 * math.log(np.exp(np.arange(6)).sum()) + 3 * (math.log(np.exp(np.arange(6)).sum()) - 5)) / 4502
    assert model.estimate(ids) == pytest.approx(expected, rel=1e-6)
    called = []
    monkeypatch.setattr(scoring, "evaluate", lambda *arguments: called.append(arguments))
    model.estimate(ids)
    assert not called  # `estimate` did not call `evaluate`

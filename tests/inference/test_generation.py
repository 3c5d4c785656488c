"""Texts generated side by side: each equals the text generated alone, whatever runs beside it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.config import ModelConfig
from recurra.inference import generation
from recurra.inference.generation import TextGeneration, find_stop, next_block_length, possible_stop_length
from recurra.inference.sampling import SamplingConfig
from recurra.model import LanguageModel
from recurra.network.parameters import initialize
from recurra.text.vocabulary import Vocabulary

SYMBOLS = "\n abcdé"
CELLS = {
    "elman": ModelConfig(hidden_size=9),
    "elman, two layers": ModelConfig(hidden_size=9, layers=2),
    "lstm": ModelConfig(cell="lstm", hidden_size=9, layers=2),
    "gru": ModelConfig(cell="gru", hidden_size=9),
}


def make_model(config: ModelConfig = CELLS["elman"], vocabulary: Vocabulary | None = None) -> LanguageModel:
    vocabulary = vocabulary or Vocabulary.of(SYMBOLS)
    return LanguageModel(config, vocabulary, initialize(config, len(vocabulary), seed=1, scale=0.6))


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "MAX_BLOCK_STEPS", 16)


VARIED: list[dict[str, Any]] = [
    {},
    {"seed": 3, "max_new_tokens": 0},
    {"seed": 4, "max_new_tokens": 1, "temperature": 0.3},
    {"seed": 5, "temperature": 0},
    {"seed": 6, "top_k": 2, "stop": "ab"},
    {"seed": 7, "top_p": 0.7, "max_new_tokens": 90},
    {"seed": 8, "min_p": 0.4, "repetition_penalty": 1.5},
    {"seed": 9, "ban": "a\n", "stop": ("dd", "c c")},
    {"seed": 10, "best_of": 4, "max_new_tokens": 30},
]


@pytest.mark.parametrize("cell", CELLS)
def test_text_is_the_same_alone_and_in_a_batch(cell: str) -> None:
    model = make_model(CELLS[cell])
    alone = [model.samples("abc"[n % 4 :], **settings)[0] for n, settings in enumerate(VARIED)]
    jobs = [(model.vocabulary.encode("abc"[n % 4 :]), SamplingConfig(**settings)) for n, settings in enumerate(VARIED)]
    together = list(generation.generate_all(model.generator(), jobs * 5))
    for n, sample in enumerate(together):
        expected = alone[n % len(alone)]
        assert (sample.symbols, sample.ended) == (expected.symbols, expected.ended)
        assert np.array_equal(sample.log_probabilities, expected.log_probabilities)


def test_texts_start_and_end_at_any_time() -> None:
    model = make_model()
    generator = model.generator()
    assert generator.step() == []
    texts: dict[TextGeneration, str] = {}
    expected: dict[TextGeneration, str] = {}

    def step() -> None:
        for chunk in generator.step():
            texts[chunk.generation] = texts.get(chunk.generation, "") + chunk.symbols

    for seed in range(30):
        length = 7 * (seed % 5) + 3
        writing = generator.add(model.vocabulary.encode("ab"), SamplingConfig(seed=seed, max_new_tokens=length))
        expected[writing] = model.sample("ab", seed=seed, max_new_tokens=length)
        step()
    early, late = (generator.add(model.vocabulary.encode("c"), SamplingConfig()) for _ in range(2))
    generator.drop(early)
    step()
    generator.drop(late)
    while len(generator):
        step()
    assert early not in texts
    assert 0 < len(texts.pop(late)) < 200
    assert texts == expected
    assert {writing.ended for writing in expected} == {"length"}


def test_block_length_does_not_change_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []
    for longest in (1, 3, 1024):
        monkeypatch.setattr(generation, "MAX_BLOCK_STEPS", longest)
        monkeypatch.setattr(generation, "FIRST_BLOCK_STEPS", longest)
        texts.append(make_model().sample("abcd dé\n" * 20, max_new_tokens=100, stop="adad", temperature=0.8))
    assert len(set(texts)) == 1


def test_block_length_follows_the_target_time() -> None:
    assert next_block_length(4, 4, 0.001) == 8
    assert next_block_length(4, 3, 0.001) == 4  # the time of a shorter block does not count
    assert next_block_length(16, 16, 0.001) == 16  # the maximum in this test
    assert next_block_length(8, 8, 0.07) == 8
    assert next_block_length(8, 8, 1.0) == 4
    assert next_block_length(1, 1, 1.0) == 1


def test_more_texts_than_parallel_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model()
    together = model.samples("b", num_return_sequences=23, best_of=2, max_new_tokens=20)
    monkeypatch.setattr(generation, "MAX_PARALLEL_TEXTS", 5)
    in_turn = model.samples("b", num_return_sequences=23, best_of=2, max_new_tokens=20)
    assert [sample.symbols for sample in in_turn] == [sample.symbols for sample in together]


def test_samples_of_several_prompts() -> None:
    model = make_model()
    samples = model.samples(["a", "b"], num_return_sequences=2, seed=5, max_new_tokens=20)
    expected = [model.sample(prompt, seed=seed, max_new_tokens=20) for prompt in "ab" for seed in (5, 6)]
    assert [sample.symbols for sample in samples] == expected
    assert model.samples([]) == []


def test_log_probabilities_equal_those_of_scoring() -> None:
    model = make_model(CELLS["lstm"])
    (sample,) = model.samples("abc", max_new_tokens=50, top_p=0.8, temperature=2)
    network, ids = model.reader, model.vocabulary.encode("\nabc" + sample.symbols)
    logs, _ = network.log_probabilities(ids[:-1], model.zero_state())
    assert np.array_equal(sample.log_probabilities, logs[np.arange(3, 53), ids[4:]])


def test_best_of_returns_the_highest_mean_log_p() -> None:
    model = make_model()
    first = model.samples("a", max_new_tokens=15, seed=3)[0]
    means = []
    for count in (1, 2, 8, 30):
        best = model.samples("a", max_new_tokens=15, seed=3, best_of=count)[0]
        means.append(best.mean)
        assert best.mean == math.fsum(best.log_probabilities.tolist()) / 15
    assert means == sorted(means)
    assert means[0] == first.mean < means[-1]
    greedy = model.sample("a", temperature=0, best_of=3)
    assert greedy == model.sample("a", temperature=0)


def test_empty_text_ranks_last() -> None:
    model = make_model()
    (sample,) = model.samples(max_new_tokens=3, stop=["a", "b", "\n", " "], best_of=20)
    assert sample.symbols
    assert model.samples(max_new_tokens=0)[0].mean == -math.inf
    assert model.sample(max_new_tokens=3, stop=list(SYMBOLS), best_of=3) == ""


@pytest.mark.parametrize("stop", ["a", "ab", "c\n", "ddd", "abcdéabcdé"])
def test_text_ends_before_the_stop_string(stop: str) -> None:
    model = make_model()
    whole = model.sample("b", max_new_tokens=500, seed=2)
    (sample,) = model.samples("b", max_new_tokens=500, seed=2, stop=stop)
    assert sample.symbols == whole.partition(stop)[0]
    assert sample.ended == ("stop" if stop in whole else "length")
    assert len(sample.log_probabilities) == len(sample.symbols)
    assert "".join(model.stream("b", SamplingConfig(max_new_tokens=500, seed=2, stop=(stop,)))) == sample.symbols


def test_stop_string_in_the_prompt_has_no_effect() -> None:
    model = make_model()
    assert model.sample("ab", max_new_tokens=1, stop="ab") == model.sample("ab", max_new_tokens=1)


def plain_stop(text: str, stops: list[str]) -> int | None:
    """Return the end of the text by a search character by character, or None."""
    for length in range(1, len(text) + 1):
        at = [length - len(stop) for stop in stops if text[:length].endswith(stop)]
        if at:
            return min(at)
    return None


STOPS = st.lists(st.text("ab", min_size=1, max_size=4), max_size=3)


@given(st.text("abc", max_size=12), STOPS, st.integers(1, 5))
def test_stop_strings_across_chunks(text: str, stops: list[str], size: int) -> None:
    expected = plain_stop(text, stops)
    assert find_stop(text, stops) == expected
    shown, held = "", ""
    for start in range(0, len(text), size):
        held += text[start : start + size]
        at = find_stop(held, stops)
        if at is not None:
            assert shown + held[:at] == text[:expected]
            return
        keep = len(held) - possible_stop_length(held, stops)
        shown, held = shown + held[:keep], held[keep:]
        assert not any(shown.endswith(stop[:1]) and stop == "a" for stop in stops)
    assert expected is None
    assert shown + held == text


def test_stop_strings_of_a_model_of_bytes() -> None:
    model = make_model(vocabulary=Vocabulary.bytes())
    whole = "".join(model.stream("", SamplingConfig(max_new_tokens=300)))
    stop = whole[100:102]
    at = whole.index(stop)
    raw = stop.encode("latin-1")
    (sample,) = model.samples(max_new_tokens=300, stop=raw.decode("utf-8", "surrogateescape"))
    assert sample.symbols == whole[:at]
    parameters = {name: np.zeros_like(array) for name, array in model.parameters.items()}
    parameters["c"][0x61] = 50
    accent = model.with_parameters(parameters)
    assert accent.sample(max_new_tokens=9, stop="é") == "a" * 9  # no byte of the stop string is written


def test_streamed_symbols_equal_the_sample() -> None:
    model = make_model()
    for settings in ({}, {"best_of": 3}, {"stop": "ab"}, {"max_new_tokens": 0}):
        symbols = list(model.stream("ab", SamplingConfig(seed=2, **settings)))
        assert "".join(symbols) == model.sample("ab", seed=2, **settings)
        assert all(len(symbol) == 1 for symbol in symbols)

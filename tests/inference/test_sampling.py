"""Writing: the distribution drawn from is the model's, the seed decides all, and no prompt is too strange."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.config import ModelConfig
from recurra.engines import create_network
from recurra.errors import UsageError
from recurra.inference import sampling
from recurra.inference.sampling import SamplingConfig, start_ids
from recurra.model import LanguageModel
from recurra.network import network
from recurra.network.parameters import initialise, parameter_shapes
from recurra.text.vocabulary import Vocabulary

CONFIG = ModelConfig(hidden_size=8)
SYMBOLS = "\n abcd"
K = len(SYMBOLS)


def make_model(symbols: str = SYMBOLS, config: ModelConfig = CONFIG) -> LanguageModel:
    vocabulary = Vocabulary.of(symbols)
    return LanguageModel(config, vocabulary, initialise(config, len(vocabulary), seed=1, scale=0.6))


def exact_probabilities(model: LanguageModel, ids: list[int]) -> np.ndarray:
    """p over what follows `ids`, by the float64 network."""
    parameters = {name: array.astype(np.float64) for name, array in model.parameters.items()}
    state = network.zero_state(model.config, 1)
    passed = network.forward(model.config, parameters, np.array(ids)[:, np.newaxis], state)
    probabilities: np.ndarray = np.exp(passed.log_probabilities[-1, 0])
    return probabilities


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_frequencies_are_the_probabilities(temperature: float) -> None:
    model = make_model()
    trained, prompt = create_network(model.config, model.parameters), np.array([0, 3, 1])
    expected = exact_probabilities(model, [0, 3, 1]) ** (1 / temperature)
    expected /= expected.sum()
    draws = 3000
    counts = np.zeros(K)
    for seed in range(draws):
        config = SamplingConfig(max_new_tokens=1, temperature=temperature, seed=seed)
        counts[next(sample_ids(trained, model.zero_state(), prompt, config))] += 1
    chi_square = float(np.sum((counts - draws * expected) ** 2 / (draws * expected)))
    assert expected.max() > 1.3 * expected.min()
    assert chi_square < 20.5  # K - 1 = 5 degrees of freedom: exceeded once in a thousand seeds


def test_what_is_drawn_depends_on_what_was_drawn_before() -> None:
    model = make_model()
    trained = create_network(model.config, model.parameters)
    pairs, firsts = np.zeros((K, K)), np.zeros(K)
    for seed in range(2000):
        ids = sample_ids(trained, model.zero_state(), np.array([0]), SamplingConfig(max_new_tokens=2, seed=seed))
        first, second = ids
        pairs[first, second] += 1
        firsts[first] += 1
    expected = np.array([firsts[k] * exact_probabilities(model, [0, k]) for k in range(K)])
    assert float(np.sum((pairs - expected) ** 2 / expected)) < 59.7  # 6 rows of 5 degrees of freedom: once in 1000


def test_every_id_has_its_share_of_the_unit_interval() -> None:
    probabilities = np.array([0.5, 0.0, 0.25, 0.125, 0.125])
    with np.errstate(divide="ignore"):
        logarithms = np.log(probabilities).astype(np.float32)
    chosen = [choose(logarithms, 1.0, (i + 0.5) / 80) for i in range(80)]
    assert chosen == [0] * 40 + [2] * 20 + [3] * 10 + [4] * 10
    assert choose(logarithms, 1.0, 0.0) == 0
    assert choose(logarithms, 1.0, 1 - 2**-53) == 4


@given(
    st.lists(st.floats(-60, 0, width=32), min_size=1, max_size=20),
    st.floats(0, allow_infinity=False),
    st.floats(0, 1, exclude_max=True),
)
def test_any_distribution_temperature_and_number(values: list[float], temperature: float, uniform: float) -> None:
    assert 0 <= choose(np.array(values, np.float32), temperature, uniform) < len(values)


@pytest.mark.parametrize("temperature", [0.0, 5e-324, 1e-300, 1e-46, 1e-38, 1e-4])
def test_no_temperature_takes_the_likeliest(temperature: float) -> None:
    logarithms = np.log(np.array([0.2, 0.1, 0.4, 0.3], np.float32))
    assert {choose(logarithms, temperature, uniform) for uniform in (0.0, 0.3, 0.999)} == {2}


@pytest.mark.parametrize("temperature", [1e10, 1e300])
def test_great_heat_makes_all_alike(temperature: float) -> None:
    logarithms = np.log(np.array([0.97, 0.01, 0.01, 0.01], np.float32))
    assert [choose(logarithms, temperature, (i + 0.5) / 4) for i in range(4)] == [0, 1, 2, 3]


def test_temperature_zero_writes_the_likeliest_whatever_the_seed() -> None:
    model = make_model()
    ids = [0]
    for _ in range(15):
        ids.append(int(exact_probabilities(model, ids).argmax()))
    expected = model.vocabulary.decode(ids[1:])
    assert {model.sample(max_new_tokens=15, temperature=0, seed=seed) for seed in (0, 1, 99)} == {expected}


def test_the_same_seed_writes_the_same_text() -> None:
    texts = [make_model().sample("ab", max_new_tokens=60, seed=seed) for seed in (5, 5, 6, 2**63 - 1)]
    assert texts[0] == texts[1]
    assert len(set(texts)) == 3
    assert {len(text) for text in texts} == {60}
    assert set("".join(texts)) <= set(SYMBOLS)


def test_writing_goes_on_from_what_was_written() -> None:
    model = make_model()
    whole = model.sample("abc", max_new_tokens=40, temperature=0)
    assert model.sample("abc" + whole[:13], max_new_tokens=27, temperature=0) == whole[13:]


def test_the_prompt_counts() -> None:
    model = make_model()
    assert model.sample("a", max_new_tokens=30, seed=1) != model.sample("b", max_new_tokens=30, seed=1)


def test_a_long_prompt_is_read_in_pieces_without_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = "abcd dcba\n" * 30
    whole = make_model().sample(prompt, max_new_tokens=20, seed=3)
    monkeypatch.setattr(sampling, "CHUNK", 7)
    assert make_model().sample(prompt, max_new_tokens=20, seed=3) == whole


def test_nothing_to_write() -> None:
    assert make_model().sample("abc", max_new_tokens=0) == ""


def test_a_sample_begins_as_if_a_line_had_ended() -> None:
    assert start_ids(Vocabulary.of("ab\n")).tolist() == [0]
    assert start_ids(Vocabulary.of("ab")).tolist() == [0]
    assert start_ids(Vocabulary.of("\t\n")).tolist() == [1]
    model = make_model()
    counts = [0] * K
    for seed in range(300):
        counts[SYMBOLS.index(model.sample(max_new_tokens=1, seed=seed))] += 1
    likeliest = int(exact_probabilities(model, [0]).argmax())
    assert counts.index(max(counts)) == likeliest


@pytest.mark.parametrize("symbols", ["ab", "xyz", "é😀", "\0\1"])
@pytest.mark.parametrize("prompt", ["", "a b", "\n", "\r\n\t", "😀", "é" * 300, "\0", "\U0010ffff\udc80"])
def test_no_prompt_and_no_vocabulary_is_too_strange(symbols: str, prompt: str) -> None:
    model = make_model(symbols)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        text = model.sample(prompt, max_new_tokens=9)
    assert len(text) == 9
    assert bool(set(prompt) - set(symbols)) == (len(caught) == 1)


def test_unknown_characters_are_left_out_with_a_warning_that_names_them() -> None:
    model = make_model()
    with pytest.warns(UserWarning, match=r"does not know 'É' \(U\+00C9\), '😀' \(U\+1F600\): left out of") as caught:
        text = model.sample("aÉb😀É", max_new_tokens=20, seed=2)
    assert caught[0].filename == __file__
    assert text == model.sample("ab", max_new_tokens=20, seed=2)


@pytest.mark.parametrize("temperature", [math.nan, math.inf, -math.inf, -1, -1e-300, "1", None, True])
def test_temperatures_that_are_none(temperature: float) -> None:
    with pytest.raises(UsageError, match=r"`temperature` must be a finite number, at least 0; got .+\.") as caught:
        make_model().sample(temperature=temperature)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("value", [-1, 1.5, "3", None, True, 2**63])
def test_lengths_and_seeds_that_are_none(value: int) -> None:
    with pytest.raises(UsageError, match="`max_new_tokens` must be a whole number, at least 0; got"):
        make_model().sample(max_new_tokens=value)
    with pytest.raises(UsageError, match="`seed` must be a whole number, at least 0; got"):
        make_model().sample(seed=value)


def two_byte_writer() -> LanguageModel:
    """A model of bytes that writes é for ever: C3 when it has not just read C3, then A9."""
    config = ModelConfig(hidden_size=8)
    parameters = {name: np.zeros(shape, np.float32) for name, shape in parameter_shapes(config, 256).items()}
    parameters["layers.0.U"][0, 0xC3] = 9  # unit 0 is near 1 after C3, else 0
    parameters["c"][0xC3] = 20
    parameters["V"][0xA9, 0] = 40
    return LanguageModel(config, Vocabulary.bytes(), parameters)


def test_a_model_of_bytes_writes_whole_characters() -> None:
    model = two_byte_writer()
    assert model.sample(max_new_tokens=8) == "éééé"
    assert model.sample(max_new_tokens=7) == "ééé\ufffd"  # the last one is cut in two
    assert model.sample("x\n😀", max_new_tokens=2) == "é"  # every prompt is bytes that it knows
    assert model.sample("\udcc3", max_new_tokens=3) == "\ufffdé"  # the byte C3 of a command line, then A9 C3 A9
    symbols = list(model.stream("", SamplingConfig(max_new_tokens=4)))
    assert symbols == ["\u00c3", "\u00a9", "\u00c3", "\u00a9"]


def test_layers_are_sampled_by_the_reference() -> None:
    model = make_model(config=ModelConfig(hidden_size=8, layers=2))
    assert model.sample("ab", max_new_tokens=30, seed=4) == model.sample("ab", max_new_tokens=30, seed=4)

"""Sampling: the distribution is the model's, the seed determines the text, and any prompt is accepted."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

from recurra.config import ModelConfig
from recurra.errors import UsageError
from recurra.inference.sampling import SamplingConfig, start_ids
from recurra.model import LanguageModel
from recurra.network import network
from recurra.network.parameters import initialize, parameter_shapes
from recurra.text.vocabulary import Vocabulary

CONFIG = ModelConfig(hidden_size=8)
SYMBOLS = "\n abcd"
K = len(SYMBOLS)


def make_model(symbols: str = SYMBOLS, config: ModelConfig = CONFIG) -> LanguageModel:
    vocabulary = Vocabulary.of(symbols)
    return LanguageModel(config, vocabulary, initialize(config, len(vocabulary), seed=1, scale=0.6))


def exact_probabilities(model: LanguageModel, ids: list[int]) -> np.ndarray:
    """Return p of the symbol after `ids` by the float64 network."""
    parameters = {name: array.astype(np.float64) for name, array in model.parameters.items()}
    state = network.zero_state(model.config, 1)
    passed = network.forward(model.config, parameters, np.array(ids)[:, np.newaxis], state)
    probabilities: np.ndarray = np.exp(passed.log_probabilities[-1, 0])
    return probabilities


def count_first_ids(model: LanguageModel, prompt: str, draws: int, **settings: Any) -> np.ndarray:
    """Return the number of times that each id is first after `prompt`, over `draws` seeds."""
    samples = model.samples(prompt, max_new_tokens=1, num_return_sequences=draws, **settings)
    return np.bincount(model.vocabulary.encode("".join(sample.symbols for sample in samples)), minlength=K)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_frequencies_match_the_probabilities(temperature: float) -> None:
    model = make_model()
    expected = exact_probabilities(model, [0, 3, 1]) ** (1 / temperature)
    expected /= expected.sum()
    draws = 3000
    counts = count_first_ids(model, "b ", draws, temperature=temperature)
    chi_square = float(np.sum((counts - draws * expected) ** 2 / (draws * expected)))
    assert expected.max() > 1.3 * expected.min()
    assert chi_square < 20.5  # K - 1 = 5 degrees of freedom: exceeded once in a thousand seeds


@pytest.mark.parametrize(
    ("settings", "kept"), [({"top_k": 3}, 3), ({"top_p": 0.6}, 3), ({"min_p": 0.45}, 3), ({"ban": "\n d"}, 3)]
)
def test_filtered_frequencies_are_renormalized_probabilities(settings: dict[str, Any], kept: int) -> None:
    model = make_model()
    exact = exact_probabilities(model, [0, 3, 1]) ** (1 / 3)
    counts = count_first_ids(model, "b ", 2000, temperature=3, **settings)
    drawn = np.flatnonzero(counts)
    assert len(drawn) == kept
    if "ban" not in settings:
        assert set(drawn) == set(np.argsort(exact)[-kept:])
    expected = 2000 * exact[drawn] / exact[drawn].sum()
    assert float(np.sum((counts[drawn] - expected) ** 2 / expected)) < 16.3  # 3 degrees of freedom, or 2


def test_second_character_depends_on_the_first() -> None:
    model = make_model()
    pairs, firsts = np.zeros((K, K)), np.zeros(K)
    for sample in model.samples(max_new_tokens=2, num_return_sequences=2000):
        first, second = model.vocabulary.encode(sample.symbols)
        pairs[first, second] += 1
        firsts[first] += 1
    expected = np.array([firsts[k] * exact_probabilities(model, [0, k]) for k in range(K)])
    assert float(np.sum((pairs - expected) ** 2 / expected)) < 59.7  # 6 rows of 5 degrees of freedom: once in 1000


def test_temperature_zero_gives_the_most_likely_for_any_seed() -> None:
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


def test_prompt_with_written_text_continues_it() -> None:
    model = make_model()
    whole = model.sample("abc", max_new_tokens=40, temperature=0)
    assert model.sample("abc" + whole[:13], max_new_tokens=27, temperature=0) == whole[13:]


def test_prompt_changes_the_text() -> None:
    model = make_model()
    assert model.sample("a", max_new_tokens=30, seed=1) != model.sample("b", max_new_tokens=30, seed=1)


def test_zero_tokens_give_an_empty_text() -> None:
    assert make_model().sample("abc", max_new_tokens=0) == ""


def test_sample_starts_after_a_hidden_newline() -> None:
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
def test_unusual_prompts_and_vocabularies(symbols: str, prompt: str) -> None:
    model = make_model(symbols)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        text = model.sample(prompt, max_new_tokens=9)
    assert len(text) == 9
    assert bool(set(prompt) - set(symbols)) == (len(caught) == 1)


def test_warning_names_unknown_characters_of_the_prompt() -> None:
    model = make_model()
    with pytest.warns(
        UserWarning, match=r"^the vocabulary of the model lacks 'É' \(U\+00C9\), '😀' \(U\+1F600\) in `prompt`"
    ) as caught:
        text = model.sample("aÉb😀É", max_new_tokens=20, seed=2)
    assert caught[0].filename == __file__
    assert text == model.sample("ab", max_new_tokens=20, seed=2)


INVALID_NUMBERS = [math.nan, math.inf, -math.inf, -1, -1e-300, "1", None, True, 10**400]


@pytest.mark.parametrize("value", INVALID_NUMBERS)
def test_invalid_temperature_raises(value: Any) -> None:
    with pytest.raises(UsageError, match=r"`temperature` must be a finite number, at least 0; got .+\.") as caught:
        make_model().sample(temperature=value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("value", [*INVALID_NUMBERS, 1.01, 1e300])
@pytest.mark.parametrize("name", ["top_p", "min_p"])
def test_invalid_share_raises(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=rf"`{name}` must be a number from 0 to 1; got .+\."):
        SamplingConfig(**{name: value})


@pytest.mark.parametrize("value", [*INVALID_NUMBERS, 0, 0.009, 101, 1e300])
def test_invalid_penalty_raises(value: Any) -> None:
    with pytest.raises(UsageError, match=r"`repetition_penalty` must be a number from 0\.01 to 100; got .+\."):
        SamplingConfig(repetition_penalty=value)


@pytest.mark.parametrize("value", [-1, 1.5, "3", None, True, 2**63, math.nan])
@pytest.mark.parametrize("name", ["max_new_tokens", "seed", "top_k"])
def test_invalid_whole_number_raises(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"`{name}` must be a whole number from 0 to {2**63 - 1:,}; got"):
        make_model().sample(**{name: value})


@pytest.mark.parametrize("value", [0, -1, 1.5, "3", None, True, 1_000_001, 2**63])
@pytest.mark.parametrize("name", ["num_return_sequences", "best_of"])
def test_invalid_count_raises(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"`{name}` must be a whole number from 1 to 1,000,000; got"):
        SamplingConfig(**{name: value})


@pytest.mark.parametrize("value", ["", ["a", ""], 5, None, [b"a"]])
def test_invalid_stop_string_raises(value: Any) -> None:
    with pytest.raises(UsageError, match="`stop` must be strings of one character or more; got"):
        SamplingConfig(stop=value)


@pytest.mark.parametrize(("value", "kept"), [("a", ("a",)), (["a", "bc"], ("a", "bc"))])
def test_stop_is_stored_as_a_tuple(value: Any, kept: tuple[str, ...]) -> None:
    assert SamplingConfig(stop=value).stop == kept


def test_allow_and_ban_without_a_character_left_raise() -> None:
    message = "`allow` and `ban` exclude every character of the model's vocabulary"
    nothing: list[dict[str, Any]] = [{"allow": "xyz"}, {"allow": ""}, {"ban": SYMBOLS}, {"allow": "ab", "ban": "ba"}]
    for settings in nothing:
        with pytest.raises(UsageError, match=message):
            make_model().sample(**settings)
    for name, value in (("allow", 5), ("ban", None), ("ban", ["a"])):
        with pytest.raises(UsageError, match=f"`{name}` must be a str of characters; got"):
            SamplingConfig(**{name: value})  # type: ignore[arg-type]


def test_only_allowed_characters_are_written() -> None:
    model = make_model()
    assert set(model.sample(max_new_tokens=200, allow="ab")) == set("ab")
    assert set(model.sample(max_new_tokens=200, ban="ab")) == set("\n cd")
    assert set(model.sample(max_new_tokens=20, allow="c", temperature=0)) == {"c"}


def test_model_of_bytes_allows_and_bans_bytes() -> None:
    model = two_byte_writer()
    assert model.sample(max_new_tokens=4, allow="xy", temperature=0) in ("xxxx", "yyyy")
    with pytest.raises(UsageError, match=r"`ban` contains 'é' \(U\+00E9\); this model writes bytes, and UTF-8 needs"):
        model.sample(ban="aé")


def test_penalty_applies_to_prompt_and_text() -> None:
    model = make_model()
    c = np.arange(6) + 50  # a halved bias is below all others
    certain = model.with_parameters({"V": np.zeros_like(model.parameters["V"]), "c": c})
    text = certain.sample("b", max_new_tokens=5, temperature=0, repetition_penalty=2)
    assert text == "dca \n"  # b was read


def two_byte_writer() -> LanguageModel:
    """Return a model of bytes that repeats é: byte A9 after C3, else C3."""
    config = ModelConfig(hidden_size=8)
    parameters = {name: np.zeros(shape, np.float32) for name, shape in parameter_shapes(config, 256).items()}
    parameters["layers.0.U"][0, 0xC3] = 9  # unit 0 is near 1 after C3, else 0
    parameters["c"][0xC3] = 20
    parameters["V"][0xA9, 0] = 40
    return LanguageModel(config, Vocabulary.bytes(), parameters)


def test_model_of_bytes_writes_whole_characters() -> None:
    model = two_byte_writer()
    assert model.sample(max_new_tokens=8) == "éééé"
    assert model.sample(max_new_tokens=7) == "ééé\ufffd"  # the last é is incomplete
    assert model.sample("x\n😀", max_new_tokens=2) == "é"  # a model of bytes has every character
    assert model.sample("\udcc3", max_new_tokens=3) == "\ufffdé"  # the byte C3 of a command line, then A9 C3 A9
    symbols = list(model.stream("", SamplingConfig(max_new_tokens=4)))
    assert symbols == ["\u00c3", "\u00a9", "\u00c3", "\u00a9"]

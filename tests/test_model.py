"""Models: saved and loaded with equal bits, and an error for each fault of a model file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra.config import ModelConfig
from recurra.errors import CheckpointError, ModelError, TextError, UsageError
from recurra.io import tensor_file
from recurra.model import LanguageModel
from recurra.network import network
from recurra.network.network import State
from recurra.network.parameters import digest, initialize
from recurra.runs.saved_model import load
from recurra.system.random_streams import stream
from recurra.text.vocabulary import Vocabulary

VOCABULARY = Vocabulary.of("\n abcde")
CONFIG = ModelConfig(hidden_size=8)


def make_model(config: ModelConfig = CONFIG, vocabulary: Vocabulary = VOCABULARY, seed: int = 1) -> LanguageModel:
    return LanguageModel(config, vocabulary, initialize(config, len(vocabulary), seed=seed, scale=0.5))


def rewrite(path: Path, *, without: str = "", metadata: dict[str, Any] | None = None, **tensors: Any) -> Path:
    """Change the content of the model file `path`, with a right hash."""
    arrays, values = tensor_file.read(path)
    arrays = {name: array for name, array in (arrays | tensors).items() if name != without}
    values = {name: value for name, value in (values | (metadata or {})).items() if name != without}
    tensor_file.write(path, arrays, values)
    return path


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    make_model().save(path)
    return path


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("vocabulary", [VOCABULARY, Vocabulary.of("é😀\U0010ffff\0"), Vocabulary.bytes()])
def test_saved_model_loads_with_equal_bits(tmp_path: Path, layers: int, vocabulary: Vocabulary) -> None:
    model = make_model(ModelConfig(hidden_size=3, layers=layers), vocabulary)
    model.save(tmp_path / "model")
    loaded = load(str(tmp_path / "model"))
    assert loaded.config == model.config
    assert loaded.vocabulary == vocabulary
    assert loaded.sha256 == model.sha256 == digest(model.parameters)
    for name, array in model.parameters.items():
        assert loaded.parameters[name].tobytes() == array.tobytes()


def test_model_repr() -> None:
    assert repr(make_model()) == "<LanguageModel: elman, 1 × 8 units, 7 symbols, 191 parameters>"
    shapes = {name: array.shape for name, array in make_model().parameters.items()}
    assert shapes == {"layers.0.U": (8, 7), "layers.0.W": (8, 8), "layers.0.b": (8,), "V": (7, 8), "c": (7,)}


def test_float64_parameters_are_rounded_or_refused() -> None:
    parameters = {name: array.astype(np.float64) + 1e-12 for name, array in make_model().parameters.items()}
    model = LanguageModel(CONFIG, VOCABULARY, parameters)
    assert all(array.dtype == np.float32 for array in model.parameters.values())
    parameters["V"][0, 0] = 1e39
    with pytest.raises(ModelError, match="parameter `V` must be finite; got inf"):
        LanguageModel(CONFIG, VOCABULARY, parameters)


def test_change_of_any_byte_of_model_file_raises(tmp_path: Path) -> None:
    path = tmp_path / "model"
    make_model(ModelConfig(hidden_size=2), Vocabulary.of("ab")).save(path)
    data = path.read_bytes()
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x11]) + data[place + 1 :])
        with pytest.raises((CheckpointError, ModelError)):
            load(path)


@pytest.mark.parametrize("format_", [2, None, "1"])
def test_model_file_of_newer_format_raises(saved: Path, format_: object) -> None:
    with pytest.raises(ModelError, match=r"has format .*; this version of recurra reads format 1") as caught:
        load(rewrite(saved, metadata={"format": format_}))
    assert caught.value.hint == "install the version of recurra that wrote it."


@pytest.mark.parametrize(
    ("without", "message"),
    [
        ("vocabulary", r"does not hold a model: 'vocabulary' is missing\.$"),
        ("model", r"does not hold a model: 'model' is missing\.$"),
        ("bytes", r"does not hold a model: 'bytes' is missing\.$"),
        ("parameters.V", r"does not hold a model: parameter `V` is missing; expected layers.0.U, .*, V, c\.$"),
    ],
)
def test_incomplete_model_file_raises(saved: Path, without: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load(rewrite(saved, without=without))


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"model": 5}, "does not hold a model: `model` must be a table, `bytes` true or false"),
        ({"model": {"cell": "lstm-x"}}, "does not hold a model: `cell` must be one of"),
        ({"model": {"color": 1}}, r"does not hold a model: unknown setting `color`\.$"),
        ({"model": {"hidden_size": 9}}, r"does not hold a model: parameter `layers.0.U` must have shape 9x7; got 8x7"),
        ({"bytes": True}, "does not hold a model: the vocabulary of a model of bytes must be the code points 0 to 255"),
    ],
)
def test_inconsistent_model_file_raises(saved: Path, metadata: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        load(rewrite(saved, metadata=metadata))
    assert caught.value.exit_code == 4


def test_model_file_with_invalid_vocabulary_raises(saved: Path) -> None:
    with pytest.raises(ModelError, match="must have each character once, in ascending order"):
        load(rewrite(saved, vocabulary=np.arange(7, dtype=np.uint32)[::-1]))


def test_extended_model_samples_and_scores_as_before() -> None:
    model = make_model()
    more = model.extended(Vocabulary.of("abc!x"))
    assert more.vocabulary == Vocabulary.of("\n !abcdex")
    assert more.score("abc ed").nats - math.log(9) == pytest.approx(model.score("abc ed").nats - math.log(7), rel=1e-6)
    assert more.sample("abc", temperature=0) == model.sample("abc", temperature=0)
    assert more.sample("abc", seed=3) == model.sample("abc", seed=3)
    assert math.isfinite(more.score("a!x").nats)
    assert model.extended(Vocabulary.of("abc")) is model


def test_loss_and_gradients_equal_those_of_network() -> None:
    model = make_model()
    ids = (stream(1, "ids").uniform(24) * 7).astype(np.int64).reshape(2, 4, 3)
    state = State(h=stream(1, "h").normal(24).reshape(1, 3, 8).clip(-0.9, 0.9))
    loss, gradients = model.loss_and_gradients(ids[0], ids[1], state)
    expected, expected_gradients, _ = network.loss_and_gradients(CONFIG, model.parameters, ids[0], ids[1], state)
    assert loss == expected
    assert set(gradients) == {*model.parameters, "state.h"}
    for name, gradient in gradients.items():
        assert gradient.dtype == np.float64
        assert np.abs(gradient).max() > 0
        assert np.array_equal(gradient, expected_gradients[name])
    assert gradients["state.h"].shape == (1, 3, 8)


def test_initial_loss_is_ln_k_and_default_state_is_zero() -> None:
    model = LanguageModel(CONFIG, VOCABULARY, initialize(CONFIG, 7, seed=1))
    ids = np.arange(7).reshape(7, 1)
    loss, _ = model.loss_and_gradients(ids, ids[::-1])
    assert loss == pytest.approx(7 * math.log(7), rel=1e-3)
    assert loss == model.loss_and_gradients(ids, ids[::-1], model.zero_state())[0]
    assert model.zero_state(3).h.shape == (1, 3, 8)
    assert not model.zero_state(3).h.any()


def test_evaluation_averages_all_but_first_character() -> None:
    model = make_model()
    ids = VOCABULARY.encode("abcde edcba\n")
    text = "abcde edcba\n"
    assert model.evaluate(ids) == pytest.approx((model.score(text).nats - math.log(7)) / 11, rel=1e-14)


@pytest.mark.parametrize("ids", [[], [1], [0, 7], [-1, 0]])
def test_evaluation_of_invalid_ids_raises(ids: list[int]) -> None:
    with pytest.raises(UsageError, match="`ids` must be two or more ids from 0 to 6"):
        make_model().evaluate(np.array(ids, np.int64))


def test_texts_too_short_to_score_raise() -> None:
    with pytest.raises(TextError, match=r"an empty text has no score\."):
        make_model().score("")
    with pytest.raises(TextError, match=r"the text has a lone surrogate, U\+DC80, at character 1"):
        make_model().score("a\udc80")

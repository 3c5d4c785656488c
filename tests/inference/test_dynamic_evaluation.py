"""Dynamic evaluation: the predictor follows the paper's equations, and the model stays unchanged."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from recurra.config import ModelConfig
from recurra.errors import NumericalError, TextError, UsageError
from recurra.inference import dynamic_evaluation
from recurra.inference.dynamic_evaluation import DynamicConfig
from recurra.model import LanguageModel
from recurra.network.parameters import initialize
from recurra.text.vocabulary import Vocabulary

SYMBOLS = "\n abcd"
TEXT = "abacada dabcab\ncad bad dad\nabba " * 6
NETWORKS = [
    ModelConfig(hidden_size=8),
    ModelConfig(hidden_size=8, layers=2),
    ModelConfig(hidden_size=8, activation="relu"),
    ModelConfig(cell="gru", hidden_size=8),
    ModelConfig(cell="lstm", hidden_size=8, layers=2),
]
by_network = pytest.mark.parametrize("config", NETWORKS, ids=lambda c: f"{c.cell}-{c.activation}-{c.layers}")


def make_model(config: ModelConfig) -> LanguageModel:
    return LanguageModel(config, Vocabulary.of(SYMBOLS), initialize(config, len(SYMBOLS), seed=1, scale=0.4))


def by_reference(model: LanguageModel, text: str, settings: DynamicConfig, norms: Any = None) -> np.ndarray:
    """Return the nats of `text` by the float64 gradients and the equations of the module's docstring."""
    assert settings.rate is not None
    assert settings.decay is not None
    ids = model.vocabulary.encode(text)
    saved = {name: array.astype(np.float64) for name, array in model.parameters.items()}
    theta, state, nats = dict(saved), model.zero_state(), [math.log(len(model.vocabulary))]
    for start in range(0, len(ids) - 1, settings.segment):
        x, y = (
            ids[start : start + settings.segment + 1][:-1, None],
            ids[start + 1 : start + settings.segment + 1][:, None],
        )
        now = LanguageModel(model.config, model.vocabulary, theta)
        nats += (-now.reader.log_probabilities(x[:, 0], state)[0][np.arange(len(y)), y[:, 0]]).tolist()
        if len(y) < settings.segment:
            break
        _, gradients = now.loss_and_gradients(x, y, state)
        _, state = now.reader.log_probabilities(x[:, 0], state)
        for name, array in theta.items():
            mean = gradients[name] / settings.segment
            pull, scale = (settings.decay, 1.0) if norms is None else (norms[0][name], norms[1][name])
            theta[name] = array - settings.rate * scale * mean + pull * (saved[name] - array)
    return np.array(nats)


@by_network
@pytest.mark.parametrize("segment", [1, 7, 64])
def test_rate_zero_gives_the_bits_of_the_static_score(config: ModelConfig, segment: int) -> None:
    model = make_model(config)
    static = model.score(TEXT).losses
    sgd = model.score(TEXT, dynamic=DynamicConfig(rate=0, segment=segment)).losses
    rms = model.score(TEXT, dynamic=DynamicConfig(method="rms", rate=0.0, segment=segment), learned=TEXT).losses
    assert static is not None
    assert sgd is not None
    assert rms is not None
    assert static.tobytes() == sgd.tobytes() == rms.tobytes()


@by_network
def test_sgd_follows_the_equations(config: ModelConfig) -> None:
    model, settings = make_model(config), DynamicConfig(rate=0.3, decay=0.05, segment=9)
    score = model.score(TEXT, dynamic=settings)
    assert score.losses == pytest.approx(by_reference(model, TEXT, settings), abs=2e-4)
    assert score.nats < model.score(TEXT).nats - 1  # the model has learned


@by_network
def test_rms_follows_the_equations(config: ModelConfig) -> None:
    model, settings, learned = (
        make_model(config),
        DynamicConfig(method="rms", rate=0.01, decay=0.02, segment=9),
        TEXT * 2,
    )
    squares = {name: np.zeros(array.shape) for name, array in model.parameters.items()}
    ids, count, state = model.vocabulary.encode(learned), 0, model.zero_state()
    length = dynamic_evaluation.RUN * 9
    for place in np.linspace(0, len(ids) - 1 - length, dynamic_evaluation.PLACES, dtype=int):
        for start in range(place, place + length, 9):
            x, y = ids[start : start + 9, None], ids[start + 1 : start + 10, None]
            _, gradients = model.loss_and_gradients(x, y, state)
            _, state = model.reader.log_probabilities(x[:, 0], state)
            squares = {name: array + (gradients[name] / 9) ** 2 for name, array in squares.items()}
            count += 1
    rms = {name: np.sqrt(array / count) for name, array in squares.items()}
    together = np.concatenate([array.ravel() for array in rms.values()])
    mean = together[together > 0].mean()
    pull = {name: np.minimum(0.02 * array / mean, 1) for name, array in rms.items()}
    scale = {name: np.where(array > 0, 1 / (array + mean), 0) for name, array in rms.items()}
    score = model.score(TEXT, dynamic=settings, learned=learned)
    assert score.losses == pytest.approx(by_reference(model, TEXT, settings, (pull, scale)), abs=2e-3)
    assert score.nats < model.score(TEXT).nats - 0.5


@pytest.mark.parametrize("method", ["sgd", "rms"])
def test_model_is_unchanged(method: str) -> None:
    model = make_model(NETWORKS[-1])
    before, score = model.sha256, model.score(TEXT)
    model.score(TEXT, dynamic=method, learned=TEXT)
    assert model.sha256 == before
    assert model.score(TEXT) == score


def test_later_characters_do_not_change_earlier_losses() -> None:
    model, settings = make_model(NETWORKS[-1]), DynamicConfig(rate=1.0, segment=5)
    other = TEXT[:63] + "d" * 40
    first, second = (model.score(text, dynamic=settings).losses for text in (TEXT[:103], other))
    assert first is not None
    assert second is not None
    same = next(i for i in range(103) if TEXT[i] != other[i])
    assert first[:same].tobytes() == second[:same].tobytes()
    assert not np.array_equal(first[same:], second[same:])


def test_probabilities_sum_to_one() -> None:
    model, settings = make_model(NETWORKS[0]), DynamicConfig(rate=0.5, segment=4)
    before = model.score(TEXT[:50], dynamic=settings).nats
    total = math.fsum(math.exp(before - model.score(TEXT[:50] + s, dynamic=settings).nats) for s in SYMBOLS)
    assert total == pytest.approx(1, abs=1e-6)


def test_too_high_rate_raises_numerical_error() -> None:
    with pytest.raises(NumericalError, match="loss") as caught:
        make_model(NETWORKS[-1]).score(TEXT * 20, dynamic=DynamicConfig(rate=1e38, segment=4))
    assert caught.value.hint == "give a smaller `--dynamic-rate`."


def test_rms_without_training_text_raises() -> None:
    with pytest.raises(TextError, match='the method "rms" needs a training text of more than one segment'):
        make_model(NETWORKS[0]).score(TEXT, dynamic="rms")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "adam"}, "`dynamic_method` must be one of sgd, rms; got 'adam'."),
        ({"rate": math.nan}, "`dynamic_rate` must be a finite number, at least 0; got nan."),
        ({"rate": -1}, "`dynamic_rate` must be a finite number, at least 0; got -1."),
        ({"rate": math.inf}, "`dynamic_rate` must be a finite number, at least 0; got inf."),
        ({"rate": True}, "`dynamic_rate` must be a finite number, at least 0; got True."),
        ({"decay": 1.5}, "`dynamic_decay` must be a finite number, from 0 to 1; got 1.5."),
        ({"segment": 0}, "`dynamic_segment` must be a whole number from 1 to 10000; got 0."),
    ],
)
def test_invalid_settings_raise(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message.replace(".", r"\.")):
        DynamicConfig(**settings)


def test_each_method_has_default_rate_and_decay() -> None:
    for method in dynamic_evaluation.METHODS:
        settings = DynamicConfig(method=method)
        assert (settings.rate, settings.decay) == (dynamic_evaluation.RATES[method], dynamic_evaluation.DECAYS[method])

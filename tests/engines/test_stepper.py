"""The stepper has the same bits as the network, for every cell and any number of streams."""

from __future__ import annotations

import numpy as np
import pytest

from recurra.config import ModelConfig
from recurra.engines import create_network
from recurra.engines.stepper import Stepper
from recurra.inference.sampling import SamplingConfig, rules_of
from recurra.network import network
from recurra.network.parameters import initialize
from recurra.text.vocabulary import Vocabulary

CONFIGS = {
    "elman": (ModelConfig(hidden_size=19), 21),
    "elman, many symbols": (ModelConfig(hidden_size=9), 262),
    "elman, two layers": (ModelConfig(hidden_size=19, layers=2), 21),
    "elman, relu": (ModelConfig(hidden_size=19, activation="relu"), 21),
    "lstm": (ModelConfig(cell="lstm", hidden_size=19, layers=2), 37),
    "gru": (ModelConfig(cell="gru", hidden_size=35, layers=3), 65),
}


def small_network(name: str) -> tuple[ModelConfig, dict[str, np.ndarray], int]:
    config, symbols = CONFIGS[name]
    return config, initialize(config, symbols, seed=1, scale=0.3), symbols


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("streams", [1, 2, 37])
def test_reading_has_the_bits_of_the_network(name: str, streams: int) -> None:
    config, parameters, symbols = small_network(name)
    ids = np.random.default_rng(3).integers(0, symbols, (11, streams))
    begin = network.zero_state(config, streams)
    begin = type(begin)(*(np.random.default_rng(4).normal(size=field.shape).astype(np.float32) for field in begin))
    logs, state = Stepper(config, parameters).read(ids, begin)
    alone = create_network(config, parameters)
    for s in range(streams):
        stream_state = type(begin)(*(field[:, s : s + 1] for field in begin))
        expected, last = alone.log_probabilities(ids[:, s], stream_state)
        assert np.array_equal(logs[:, s], expected)
        for field, other in zip(state, last, strict=True):
            assert np.array_equal(field[:, s : s + 1], other)


@pytest.mark.parametrize("name", CONFIGS)
def test_log_p_of_sampled_text_equals_reading_it(name: str) -> None:
    config, parameters, symbols = small_network(name)
    stepper, vocabulary = Stepper(config, parameters), Vocabulary.of("".join(chr(97 + k) for k in range(symbols)))
    rules = rules_of(SamplingConfig(), vocabulary, np.zeros(0, np.int64), stepper.width)
    given, uniforms = np.full((20, 1), -1), np.random.default_rng(5).random((20, 1))
    given[:4, 0], uniforms[:3] = [1, 2, 0, 3], -1
    written, logs = stepper.write(stepper.zeros(1), np.zeros(1, np.int64), given, uniforms, rules)
    ids = np.concatenate([given[:4, 0], written[3:, 0]])
    expected, _ = create_network(config, parameters).log_probabilities(ids[:-1], network.zero_state(config, 1))
    assert np.array_equal(logs[3:, 0], expected[np.arange(3, 20), ids[4:]])
    assert not logs[:3].any()
    assert set(np.flatnonzero(rules.seen)) == set(written[3:, 0])

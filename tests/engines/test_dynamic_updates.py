"""The network that learns while it reads: its gradient, its bits and its state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra.config import ModelConfig
from recurra.engines import create_network
from recurra.engines.dynamic_updates import DynamicNetwork
from recurra.engines.kernels.optimizers import adapt
from recurra.network import network
from recurra.network.parameters import initialize

K, M = 11, 7
NETWORKS = [
    ModelConfig(hidden_size=M),
    ModelConfig(hidden_size=M, layers=2),
    ModelConfig(cell="gru", hidden_size=M, layers=2),
    ModelConfig(cell="lstm", hidden_size=M),
]
by_network = pytest.mark.parametrize("config", NETWORKS, ids=lambda c: f"{c.cell}-{c.layers}")
IDS = np.random.default_rng(0).integers(0, K, 40)


def parts(config: ModelConfig) -> tuple[dict[str, NDArray[Any]], network.State]:
    parameters = initialize(config, K, seed=1, scale=0.5)
    state = network.zero_state(config, 1)
    _, state = create_network(config, parameters).log_probabilities(IDS[:5], state)  # not zero
    return parameters, state


@by_network
@pytest.mark.parametrize("steps", [1, 6])
def test_gradient_equals_the_reference(config: ModelConfig, steps: int) -> None:
    parameters, state = parts(config)
    learner = DynamicNetwork(config, parameters, state, 6)
    x, y = IDS[:steps], IDS[1 : steps + 1]
    learner.read(x)
    learner.differentiate(x, y)
    _, expected, _ = network.loss_and_gradients(config, parameters, x[:, None], y[:, None], state)
    for name, gradient in learner._layout.unpack(learner.gradient).items():
        assert np.abs(expected[name]).max() > 0
        assert np.allclose(gradient, expected[name], atol=1e-5), name


@by_network
def test_predictions_before_learning_equal_the_network(config: ModelConfig) -> None:
    parameters, state = parts(config)
    learner, plain = DynamicNetwork(config, parameters, state, 6), create_network(config, parameters)
    for start in (0, 6, 12):
        x, y = IDS[start : start + 6], IDS[start + 1 : start + 7]
        expected, state = plain.log_probabilities(x, state)
        assert learner.read(x[:3]).tobytes() == expected[:3].tobytes()  # `read` alone does not advance the state
        assert learner.read(x).tobytes() == expected.tobytes()
        learner.differentiate(x, y)


@by_network
def test_learning_does_not_change_the_given_parameters(config: ModelConfig) -> None:
    parameters, state = parts(config)
    before = {name: array.copy() for name, array in parameters.items()}
    learner = DynamicNetwork(config, parameters, state, 6)
    pull, step = np.zeros_like(learner.gradient), np.full_like(learner.gradient, 0.1)
    losses = []
    for _ in range(30):
        losses.append(-learner.read(IDS[:6])[np.arange(6), IDS[1:7]].sum())
        learner.differentiate(IDS[:6], IDS[1:7])
        learner.learn(pull, step)
    assert losses[-1] < 0.7 * losses[0]
    assert all(np.array_equal(parameters[name], array) for name, array in before.items())


def test_kernel_has_the_bits_of_its_equation() -> None:
    rng = np.random.default_rng(1)
    theta, saved, pull, step, gradient = (rng.normal(size=(1, 64)).astype(np.float32) for _ in range(5))
    expected = theta + (pull * (saved - theta) - step * gradient)
    adapt(theta, saved, pull, step, gradient)
    assert theta.tobytes() == expected.tobytes()

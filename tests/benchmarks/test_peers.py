"""The peers of the benchmarks: they train the classic network correctly, so that their speeds can be compared."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SYMBOLS = 11


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def module(name: str) -> Any:
    return importlib.import_module(f"peers.{name}")


def drawn(seed: int) -> tuple[dict[str, Any], Any]:
    draw = np.random.default_rng(seed)
    first = module("setting").initial(SYMBOLS, seed)
    parameters = {name: value + draw.normal(0.0, 0.1, value.shape) for name, value in first.items()}
    return parameters, draw.integers(0, SYMBOLS, 90)


@pytest.mark.parametrize("name", ["U", "W", "b", "V", "c"])
def test_numpy_gradient_equals_the_numerical_gradient(name: str) -> None:
    numpy_min_char = module("numpy_min_char")
    parameters, ids = drawn(1)
    h = np.random.default_rng(2).normal(0.0, 0.5, (100, 1))

    def loss() -> float:
        return float(numpy_min_char.loss_and_gradients(parameters, ids[:7], ids[1:8], h)[0])

    gradient = numpy_min_char.loss_and_gradients(parameters, ids[:7], ids[1:8], h)[1][name]
    places = np.argsort(np.abs(gradient), axis=None)[-3:]
    for place in places:
        flat = parameters[name].reshape(-1)
        value, step = flat[place], 1e-5
        flat[place] = value + step
        above = loss()
        flat[place] = value - step
        below = loss()
        flat[place] = value
        assert (above - below) / (2 * step) == pytest.approx(gradient.reshape(-1)[place], rel=1e-6)


def test_first_numpy_update_is_adagrad_with_clipped_gradient() -> None:
    numpy_min_char = module("numpy_min_char")
    parameters, ids = drawn(3)
    parameters["c"][0] += 4.0  # a firm wrong belief: dL/dc leaves [-5, 5]
    peer = numpy_min_char.Peer(SYMBOLS, parameters=parameters)
    loss, gradients, h = numpy_min_char.loss_and_gradients(parameters, ids[:25], ids[1:26], np.zeros((100, 1)))
    assert peer.train(ids, 1) == [loss]
    np.testing.assert_array_equal(peer.h, h)
    assert max(np.abs(gradient).max() for gradient in gradients.values()) > 5
    for name, gradient in gradients.items():
        clipped = np.clip(gradient, -5, 5)
        expected = parameters[name] - 0.1 * clipped / np.sqrt(clipped**2 + 1e-8)
        np.testing.assert_allclose(peer.parameters[name], expected, rtol=1e-12, atol=1e-15)


def test_numpy_peer_continues_and_resets_h_at_each_epoch() -> None:
    numpy_min_char = module("numpy_min_char")
    parameters, ids = drawn(4)
    assert module("setting").updates_per_epoch(len(ids)) == 3
    whole = numpy_min_char.Peer(SYMBOLS, parameters=parameters)
    parts = numpy_min_char.Peer(SYMBOLS, parameters=parameters)
    losses = whole.train(ids, 5)
    np.testing.assert_array_equal(np.concatenate([parts.train(ids, 2), parts.train(ids, 3)]), losses)
    third = numpy_min_char.Peer(SYMBOLS, parameters=parameters)
    third.train(ids, 3)
    loss, _, _ = numpy_min_char.loss_and_gradients(third.parameters, ids[:25], ids[1:26], np.zeros((100, 1)))
    assert losses[3] == loss


@pytest.mark.torch
def test_pytorch_peer_has_the_losses_of_numpy() -> None:
    pytest.importorskip("torch", reason="PyTorch is an extra")
    _, ids = drawn(5)
    parameters = module("setting").initial(SYMBOLS, 5)
    truth = module("numpy_min_char").Peer(SYMBOLS, parameters=parameters).train(ids, 3)
    losses = module("pytorch_rnn").Peer(SYMBOLS, parameters=parameters).train(ids, 3)
    np.testing.assert_allclose(losses, truth, rtol=1e-5)

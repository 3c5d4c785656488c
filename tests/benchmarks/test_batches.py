"""The peers that train in batches: all of them train the same network as recurra."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SYMBOLS = 11
SHAPES = ["elman-3-7-16-2", "lstm-3-7-16-2", "gru-3-7-16-2", "gru-1-5-8-1"]


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def losses_of(module: str, shape_name: str) -> Any:
    setting = importlib.import_module("peers.batch_setting")
    shape = setting.Shape.of(shape_name)
    ids = np.random.default_rng(5).integers(0, SYMBOLS, 500)
    peer = importlib.import_module(f"peers.{module}").Peer(shape, drawn(setting.initial(shape, SYMBOLS)), 1)
    reader = setting.Reader(ids, shape)
    return np.concatenate([peer.train(*reader.take(2)), peer.train(*reader.take(1)), peer.train(*reader.take(1))])


def drawn(parameters: dict[str, Any]) -> dict[str, Any]:
    draw = np.random.default_rng(6)  # biases too: a bias that is zero hides a peer that forgets it
    return {name: value + draw.normal(0.0, 0.1, value.shape).astype(np.float32) for name, value in parameters.items()}


@pytest.mark.torch
@pytest.mark.parametrize("module", ["pytorch_batch", "recurra_torch_batch"])
@pytest.mark.parametrize("shape", SHAPES)
def test_pytorch_peer_has_the_losses_of_recurra(shape: str, module: str) -> None:
    pytest.importorskip("torch", reason="PyTorch is an extra")
    np.testing.assert_allclose(losses_of(module, shape), losses_of("recurra_batch", shape), rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_jax_peer_has_the_losses_of_recurra(shape: str) -> None:
    pytest.importorskip("jax", reason="JAX is installed for the benchmarks alone")
    np.testing.assert_allclose(losses_of("jax_batch", shape), losses_of("recurra_batch", shape), rtol=1e-4)


def test_reader_repeats_the_text() -> None:
    setting = importlib.import_module("peers.batch_setting")
    reader = setting.Reader(np.arange(31), setting.Shape.of("gru-2-5-8-1"))
    first, _ = reader.take(2)
    again, targets = reader.take(2)
    np.testing.assert_array_equal(again, first)
    np.testing.assert_array_equal(targets, again + 1)
    assert again.shape == (2, 5, 2)

"""The benchmark of training in batches: all sides train the same network, and the table has the measurements."""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
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


def test_result_compares_each_round_with_the_faster_peer() -> None:
    bench = importlib.import_module("batch_speed")
    one = {"recurra": [10.0, 12.0], "torch": [5.0, 4.0], "jax": [8.0, 8.0]}
    two = {"recurra": [20.0, 18.0]}
    result = bench.Result("gru-2-5-8-1", {1: one, 2: two}, {1: {"recurra": [2.0], "jax": [2.002]}, 2: {}})
    assert result.peer(1) == "jax"
    assert result.peer(2) is None
    assert result.over_peer(1) == [1.25, 1.5]
    assert result.over_peer(2) == []
    assert result.over_one_thread(2) == [2.0, 1.5]
    assert result.disagreement(1) == {"jax": pytest.approx(1e-3)}


@pytest.mark.parametrize("shape", ["gru-2-5-8", "rnn-2-5-8-1", "gru-2-5-x-1", "gru-0-5-8-1"])
def test_invalid_shape_is_an_error(shape: str) -> None:
    bench = importlib.import_module("batch_speed")
    with pytest.raises(argparse.ArgumentTypeError, match="a shape is CELL-B-T-H-L"):
        bench.shapes(shape)


def test_missing_peer_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = importlib.import_module("batch_speed")
    monkeypatch.setattr(bench, "version", lambda package: None)
    options = argparse.Namespace(peers=["torch"], threads=[1], shapes=[], rounds=1, seconds=0.1)
    assert bench.measure(options, "ab") == ([], {"torch": "not installed"})


def test_batch_benchmark_runs_with_recurra_alone() -> None:
    command = [sys.executable, str(BENCHMARKS / "batch_speed.py"), "--peers", "recurra", "--shapes", "gru-3-7-16-2"]
    command += ["--threads", "1", "--rounds", "2", "--seconds", "0.01", "--json"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    [row] = result["results"]
    assert (row["shape"], row["threads"], row["faster_peer"]) == ("gru-3-7-16-2", 1, None)
    assert len(row["characters_per_second"]["recurra"]["rounds"]) == 2
    assert result["left_out"] == {}

"""The benchmark of text generation: both sides generate the same text at temperature 0; the table has the rates."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that imports the benchmark with these command-line options."""

    def import_bench(*options: str) -> Any:
        monkeypatch.setattr(sys, "argv", ["sampling_speed.py", *options])
        return importlib.import_module("sampling_speed")

    return import_bench


@pytest.mark.torch
@pytest.mark.parametrize("network", ["elman-9-1", "lstm-9-2", "gru-9-2"])
def test_pytorch_generates_the_text_of_recurra(network: str) -> None:
    pytest.importorskip("torch", reason="PyTorch is an extra")
    bench = importlib.import_module("sampling_speed")
    ours, theirs = (bench.opened(name, network, 3) for name in ("recurra", "torch"))
    np.testing.assert_array_equal(ours.likeliest(30), theirs.likeliest(30))
    assert theirs.write(5).shape == (5, 3)


def test_sampling_benchmark_runs_with_recurra_alone(
    bench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--peers", "recurra", "--networks", "elman-8-1", "--streams", "3", "--rounds", "1", "--seconds", "0.001")
    module = bench(*options, "--json")
    measured = module.measure(module.arguments())
    monkeypatch.setattr(module, "measure", lambda _: measured)
    capsys.readouterr()
    module.main()
    one, many = json.loads(capsys.readouterr().out)["results"]
    assert (one["streams"], many["streams"]) == (1, 3)
    assert one["characters_per_second"]["recurra"]["median"] > 0
    assert one["ours_over_one"] is None
    assert many["ours_over_one"] > 0
    assert many["ours_over_torch"] is None
    bench(*options).main()
    assert "elman-8-1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--networks", "elman-8"), "a network is CELL-H-L, say elman-100-1; got elman-8"),
        (("--networks", "abacus-8-1"), "a network is CELL-H-L"),
        (("--streams", "1"), "--streams must be at least 2"),
        (("--peers", "jax"), "unknown peer 'jax'; known are recurra, torch"),
    ],
)
def test_invalid_options_are_an_error(
    bench: Callable[..., Any], options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        bench(*options).main()
    assert message in capsys.readouterr().err

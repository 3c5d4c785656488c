"""The profile of an update: its parts have names, add up to the update, and leave the kernels as they were."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from recurra.engines.kernels import gemm
from recurra.engines.kernels.cell_registry import KERNELS

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TEXT = "abcdefghijk" * 30


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("kernel_profile")


@pytest.mark.parametrize("shape_name", ["elman-3-7-16-2", "lstm-3-7-16-2", "gru-3-7-16-2", "gru-1-5-16-1"])
def test_parts_of_an_update_have_names_and_add_up(benchmark: Any, shape_name: str) -> None:
    loop = importlib.import_module("product_loops").step_products
    profile = benchmark.Profile(benchmark.Shape.of(shape_name), TEXT, loop)
    parts = profile.measure(0.0)
    update = parts.pop(benchmark.CLOCKED)
    assert parts.pop(benchmark.PLAIN) > 0
    assert sum(parts.values()) == pytest.approx(update)
    above_first = set() if shape_name.endswith("-1") else {"U x", "U' da"}
    assert set(parts) == set(benchmark.ORDER) - {"U x", "U' da"} | above_first
    assert min(parts[name] for name in parts if not name.startswith("gates")) > 0


def test_kernels_are_restored(benchmark: Any) -> None:
    before, multiply = KERNELS["gru"], gemm.multiply
    times: Any = {}
    with benchmark.timed_kernels("gru", times):
        assert isinstance(gemm.multiply, benchmark.TimedKernel)
        assert isinstance(KERNELS["gru"].forward, benchmark.TimedKernel)
    assert KERNELS["gru"] is before
    assert gemm.multiply is multiply


def test_table_has_the_median_share_of_each_part(benchmark: Any) -> None:
    seconds = {"update": [0.002, 0.002], "update with clocks": [0.004, 0.004], "optimizer": [0.001, 0.001]}
    results = {"gru-3-7-16-2": seconds | {"new_kernel in run": [0.002, 0.004]}, "lstm-3-7-16-2": seconds}
    assert benchmark.markdown(benchmark.rows(results)).splitlines() == [
        "|  | gru-3-7-16-2 | lstm-3-7-16-2 |",
        "| --- | ---: | ---: |",
        "| update, ms | 2.00 | 2.00 |",
        "| update with clocks, ms | 4.00 | 4.00 |",
        "| optimizer, % | 25.0 | 25.0 |",
        "| new_kernel in run, % | 75.0 | 0.0 |",
    ]
    assert benchmark.aligned(benchmark.rows(results)).splitlines()[3].split() == ["optimizer,", "%", "25.0", "25.0"]


def test_invalid_shape_is_an_error(
    benchmark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["kernel_profile.py", "--shapes", "lstm-3-7-16-2,gru-2-5-8"])
    with pytest.raises(SystemExit, match="2"):
        benchmark.main()
    assert "a shape is CELL-B-T-H-L, such as lstm-64-128-512-2; got lstm-3-7-16-2,gru-2-5-8" in capsys.readouterr().err

"""The roofline of the products: right results, a peak of real operations, and a count of compiled kernels."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture
def product_cases() -> Any:
    return importlib.import_module("product_cases")


def opened(case: Any) -> Any:
    """Return the product; the loop over time steps runs in Python."""
    loop = importlib.import_module("product_loops").step_products
    return importlib.import_module("product_cases").product(case, loop)


@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize("kind", ["W h", "W' da", "U x", "U' da", "da h'", "V h", "V' do", "do h'"])
def test_product_equals_that_of_numpy(product_cases: Any, kind: str, streams: int) -> None:
    columns = 23 if kind in product_cases.OUTPUT else 48
    case = product_cases.Case(kind, hidden=16, columns=columns, streams=streams, steps=5)
    product = opened(case)
    assert product.difference() < 1e-5
    assert case.operations == 2 * product.plain_C.size * case.sizes[2] == 2 * 16 * columns * 5 * streams


def test_wrong_product_is_an_error(product_cases: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    multiply = product_cases.gemm.multiply

    def wrong(*arguments: Any) -> None:
        multiply(*arguments)
        arguments[4][0, 0] += 1

    monkeypatch.setattr(product_cases.gemm, "multiply", wrong)
    with pytest.raises(ArithmeticError, match="the products differ from NumPy's by"):
        opened(product_cases.Case("U x", hidden=16, columns=16, streams=3, steps=2))


def test_training_has_these_products(product_cases: Any) -> None:
    chosen = product_cases.cases([128, 512], [4], [1, 64], [65])
    assert len(chosen) == 2 * (2 * 2 + 3 + 3)
    assert product_cases.Case("U x", 512, 2048, 16, 128) in chosen, "a shard of 64 streams has 16"
    assert product_cases.Case("do h'", 128, 65, 26, 50) in chosen


def test_table_has_the_share_of_the_peak(product_cases: Any) -> None:
    bench = importlib.import_module("products_speed")
    case = product_cases.Case("W' da", hidden=8, columns=32, streams=3, steps=5)
    rates = {"peak": [100.0, 50.0], "multiply": [80.0, 30.0], "with packing": [50.0, 30.0], "numpy": [25.0, 20.0]}
    head, line = bench.rows([bench.Result(case, rates)])
    assert dict(zip(head[:8], line, strict=False)) == {
        "product": "W' da",
        "H": "8",
        "B": "3",
        "rows": "3",
        "columns": "8",
        "terms": "32",
        "GFLOP/s": "55.0",
        "of the peak": "70%",
    }
    assert line[8:] == ["60%..80%", "40.0", "55%", "22.5", "1.75", "1.50..2.00"]


@pytest.mark.parametrize("fused", [False, True])
def test_loop_of_the_peak_computes_its_chains(fused: bool) -> None:
    core_peak = importlib.import_module("core_peak")
    form = core_peak.Form(lanes=4, chains=8, fused=fused)
    run = core_peak.compiled(form)
    first = [np.float32(0.5) * k for k in range(1, 9)]
    assert run(1) == sum(0.5 * c + 0.5 for c in first)
    assert run(2) == sum(0.5 * (0.5 * c + 0.5) + 0.5 for c in first)
    assert core_peak.rate(form, 0.0001) > 0


def test_compilations_are_counted() -> None:
    compiled = importlib.import_module("compiled_kernels").count()
    double: Any = numba.njit(lambda x: x + x)
    assert compiled() == 0
    double(2)
    double(3)
    assert compiled() == 1
    double(2.5)
    assert compiled() == 2

"""The first start on a machine: only what a run needs is compiled, and each function once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba.core import event

from recurra import engines
from recurra.config import configs
from recurra.engines.engine import Start
from recurra.engines.kernels import compilation, softmax
from recurra.engines.kernels.choice import sort_descending
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.disk_cache import DiskCache
from recurra.engines.kernels.lanes import aligned_zeros
from recurra.network.parameters import initialize

pytestmark = pytest.mark.skipif(not hasattr(softmax.log_softmax, "py_func"), reason="the JIT is switched off")


def names_of(recorder: Any) -> set[str]:
    """Return the names of the functions that Numba compiled."""
    return {happened.data["dispatcher"].py_func.__name__ for _, happened in recorder.buffer if happened.is_start}


def test_function_has_machine_code_only_if_python_calls_it() -> None:
    double: Any = strict(lambda x: x + x)

    @strict
    def quadruple(x: int) -> int:
        result: int = double(double(x))
        return result

    kernel: Any = quadruple
    assert kernel(2) == 8
    assert [len(kernel.signatures), len(double.signatures)] == [1, 0]
    assert double(2) == 4
    assert [len(kernel.signatures), len(double.signatures)] == [1, 1]


def test_kernel_is_compiled_with_its_callees_alone_and_stored_in_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No operation on vectors is a function; the functions that the kernel calls are not stored."""
    cache = DiskCache(tmp_path / "kernels")
    monkeypatch.setattr(compilation, "kernel_cache", lambda: cache)
    source: Any = softmax.log_softmax
    kernel: Any = strict(source.py_func)
    with event.install_recorder("numba:compile") as recorder:
        kernel(aligned_zeros(2, 32), aligned_zeros(1, 16))
    functions = {"_largest", "_sum_of_exponentials", "exp", "_exp_minus_one_over_scale", "log"}
    numba_max = "impl"
    assert "log_softmax" in names_of(recorder)
    assert names_of(recorder) <= {"log_softmax", numba_max, *functions}
    assert cache.examine().files == 1


@pytest.mark.parametrize("count", [1, 2, 3, 50, 1000])
def test_values_are_sorted_in_descending_order(count: int) -> None:
    values = np.random.default_rng(count).integers(0, count, count).astype(np.float32)
    expected = np.sort(values)[::-1].copy()
    sort_descending(values)
    assert values.tolist() == expected.tolist()


def test_warm_up_compiles_all_that_updates_need() -> None:
    config, training = configs({"cell": "gru", "hidden_size": 24, "batch_size": 4, "sequence_length": 5, "threads": 1})
    engine = engines.create(config, training, Start(initialize(config, 20, seed=0)))
    engine.warm_up()
    ids = np.arange(40).reshape(2, 5, 4) % 20
    with event.install_recorder("numba:compile") as recorder:
        engine.train(ids, ids, np.full(2, 0.1, np.float32))
    assert names_of(recorder) == set()

"""The peer that writes: it generates the text of recurra at temperature 0."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.torch
@pytest.mark.parametrize("network", ["elman-9-1", "lstm-9-2", "gru-9-2"])
def test_pytorch_generates_the_text_of_recurra(network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="PyTorch is an extra")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    workloads = importlib.import_module("workloads")
    ours, theirs = (
        workloads.writer(side, workloads.shape_of(f"write-{network}-3"), 1) for side in ("recurra", "torch")
    )
    np.testing.assert_array_equal(ours.likeliest(30), theirs.likeliest(30))
    assert theirs.write(5).shape == (5, 3)

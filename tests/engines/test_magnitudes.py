"""The largest absolute value in each parameter, in every engine."""

from __future__ import annotations

import math

import numpy as np
import pytest

from recurra import engines
from recurra.config import ModelConfig, TrainingConfig
from recurra.engines.engine import Start
from recurra.network.cells import CELLS
from recurra.network.parameters import initialize

SYMBOLS = 5
CASES = [(engine, cell) for engine in ("compiled", "reference") for cell in CELLS] + [
    pytest.param("torch", name, marks=pytest.mark.torch) for name, spec in CELLS.items() if spec.torch is not None
]


@pytest.mark.parametrize(("engine", "cell"), CASES)
@pytest.mark.parametrize("batch_size", [1, 3])
def test_magnitudes_ignore_padding_and_orientation(engine: str, cell: str, batch_size: int) -> None:
    if engine == "torch":
        pytest.importorskip("torch", reason="engine torch is an extra")
    config = ModelConfig(cell=cell, hidden_size=3, layers=2 if batch_size > 1 else 1)
    training = TrainingConfig(engine=engine, batch_size=batch_size, sequence_length=4)
    parameters = {name: array.copy() for name, array in initialize(config, SYMBOLS, seed=1, scale=0.5).items()}
    parameters["V"][-1, -1] = -7.5
    started = engines.create(config, training, Start(parameters))
    expected = {name: float(np.max(np.abs(array))) for name, array in started.parameters().items()}
    assert started.magnitudes() == expected
    assert expected["V"] == 7.5
    parameters["c"][0] = math.nan
    assert math.isnan(engines.create(config, training, Start(parameters)).magnitudes()["c"])

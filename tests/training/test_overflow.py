"""Numbers that are too large for the files of a run end in a NumericalError with the update and the tensor."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra.config import OPTIMIZERS
from recurra.engines.batched import BatchedEngine
from recurra.engines.engine import TrainResult
from recurra.errors import NumericalError
from recurra.io import tensor_file
from recurra.model import LanguageModel
from recurra.network.cells import CELLS
from recurra.runs import records
from recurra.runs.layout import CHECKPOINTS
from recurra.runs.recovery import recover
from recurra.training.loss_history import LARGEST_NUMBER
from small_training import make_trainer, resume_small, train_small


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


CASES: list[dict[str, Any]] = [
    *({"optimizer": optimizer, "engine": engine} for optimizer in OPTIMIZERS for engine in ("compiled", "reference")),
    *({"cell": cell, "batch_size": 3, "validation": 0.2, "ema": 0.9} for cell in CELLS),
    {"activation": "relu", "batch_size": 2, "clip_value": None},
    {"activation": "relu", "engine": "reference", "clip_value": None, "optimizer": "sgd"},
]


@pytest.mark.parametrize("rate", [1e17, 1e30])
@pytest.mark.parametrize("settings", CASES, ids=lambda settings: " ".join(map(str, settings.values())))
def test_far_too_high_learning_rate_is_numerical_error(settings: dict[str, Any], rate: float) -> None:
    with pytest.raises(NumericalError, match=r"became .+ at update \d+; it must be") as caught:
        train_small("here", learning_rate=rate, checkpoint_every=0.0, **settings)
    assert caught.value.exit_code == 5
    assert caught.value.update >= 1
    assert caught.value.tensor
    assert f"recurra train --resume --run here --learning-rate {rate:g}" not in str(caught.value.hint)
    snapshot = recover(Path("here")).snapshot
    assert snapshot.update < caught.value.update
    files = (Path("here") / CHECKPOINTS).glob("*.safetensors")
    assert all(np.isfinite(array).all() for path in files for array in tensor_file.read(path)[0].values())
    records.load(Path("here"))  # every written record can be read
    assert resume_small("here", learning_rate=1e-4).summary["updates"] == 100


def test_error_names_loss_and_update() -> None:
    with pytest.raises(
        NumericalError, match=r"^the loss became .+e\+3\d at update 2; it must be a number of at most"
    ) as e:
        train_small("here", learning_rate=1e30)
    assert (e.value.update, e.value.tensor) == (2, "loss")
    assert e.value.hint == (
        "resume from the last checkpoint at a lower rate: recurra train --resume --run here --learning-rate 0.1"
    )


def test_too_large_parameters_after_last_update_are_an_error() -> None:
    with pytest.raises(NumericalError, match=r"^`layers.0.U` became 9.99\d+e\+29 at update 1; it must be at most 1e"):
        train_small("here", learning_rate=1e30, updates=1)


@pytest.mark.parametrize(
    ("losses", "norms", "words"),
    [
        ([1.0, math.nan, 1.0], [1.0, 1.0, 1.0], "the loss became nan at update 2"),
        ([1.0, 1.0, 2 * LARGEST_NUMBER], [1.0, 1.0, 1.0], r"the loss became 2e\+15 at update 3"),
        ([1.0, 1.0, 1.0], [math.inf, 1.0, 1.0], "the norm of all gradients became inf at update 1; it must be finite"),
    ],
)
def test_invalid_losses_and_norms_of_engine_are_an_error(
    monkeypatch: pytest.MonkeyPatch, losses: list[float], norms: list[float], words: str
) -> None:
    trainer = make_trainer(log_every=3, sample_every=0)
    result = TrainResult(np.array(losses), np.array(norms))
    monkeypatch.setattr(trainer.engine, "train", lambda *_, **__: result)
    with pytest.raises(NumericalError, match=words):
        list(trainer.events())


def test_error_names_gradient_too_large_to_square() -> None:
    engine = make_trainer(batch_size=2).engine
    assert isinstance(engine, BatchedEngine)
    gradient = np.zeros_like(engine._flat)
    gradient[0, 0] = 1e20
    with pytest.raises(NumericalError, match=r"the gradient of `layers.0.U` became 1e\+20, too large to square at upd"):
        engine._raise_not_finite(1.0, gradient)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_too_large_held_out_loss_is_an_error(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    settings: dict[str, Any] = {part: 0.2, "sample_every": 0}
    method = {"validation": "estimate", "test": "evaluate"}[part]
    monkeypatch.setattr(LanguageModel, method, lambda *_: 1e20)
    with pytest.raises(NumericalError, match=r"the loss became 1e\+20 on the held-out text at update"):
        train_small("here", **settings)

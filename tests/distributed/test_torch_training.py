"""Trainings with engine `torch`: their files, and resuming from the checkpoints of other engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra.io import tensor_file
from recurra.runs.layout import METRICS, SAMPLES, SETTINGS
from small_training import resume_small, rows, train_small

pytestmark = pytest.mark.torch
pytest.importorskip("torch", reason="engine torch is an extra: pip install 'recurra[torch]'")

GENTLE: dict[str, Any] = {
    "cell": "gru", "layers": 2, "batch_size": 2, "optimizer": "adam", "learning_rate": 0.003, "dropout": 0.2,
    "ema": 0.9, "schedule": "cosine", "validation": 0.2, "initial_scale": None, "threads": 1, "evaluate_every": 10,
}  # fmt: skip


def losses(folder: Path) -> list[float]:
    return [row["loss"]["mean"] for row in rows(folder / METRICS)]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compiled")
    train_small(folder, **GENTLE)
    return folder


def test_engine_torch_writes_same_files_as_compiled_engine(compiled: Path, tmp_path: Path) -> None:
    run = train_small(tmp_path / "run", **GENTLE, engine="torch")
    for row, expected in zip(rows(tmp_path / "run" / METRICS), rows(compiled / METRICS), strict=True):
        assert list(row) == list(expected)
        for name in ("update", "epoch", "rate"):
            assert row[name] == expected[name]
        assert row["smooth_loss"] == pytest.approx(expected["smooth_loss"], rel=1e-5)
        assert row["validation"] == pytest.approx(expected["validation"], rel=1e-5)
    assert [row["update"] for row in rows(tmp_path / "run" / SAMPLES)] == [0, 50, 100]
    run_toml = (tmp_path / "run" / SETTINGS).read_text()
    assert '[engine]\nname = "torch"\ndevice = "cpu"' in run_toml
    assert "torch = " in run_toml.partition("[versions]")[2]
    assert run.summary["updates"] == 100


@pytest.mark.parametrize("first", ["compiled", "reference", "torch"])
@pytest.mark.parametrize("second", ["compiled", "reference", "torch"])
def test_any_engine_resumes_checkpoint_of_any_engine(first: str, second: str, compiled: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train_small(folder, **GENTLE | {"updates": 40, "schedule": "constant"}, engine=first)
    run = resume_small(folder, updates=100, engine=second)
    train_small(tmp_path / "whole", **GENTLE | {"schedule": "constant"})
    assert np.allclose(losses(folder), losses(tmp_path / "whole"), rtol=1e-4)
    saved, _ = tensor_file.read(sorted((folder / "checkpoints").glob("update-*"))[-1])
    whole, _ = tensor_file.read(sorted((tmp_path / "whole" / "checkpoints").glob("update-*"))[-1])
    assert saved.keys() == whole.keys()
    for name, array in saved.items():
        assert np.allclose(array, whole[name], atol=2e-3), name
    assert run.summary["updates"] == 100


def test_resumed_torch_training_gives_same_bytes(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    settings = GENTLE | {"schedule": "constant", "engine": "torch"}
    train_small(whole, **settings)
    train_small(broken, **settings | {"updates": 40})
    resume_small(broken, updates=100)
    for name in (METRICS, SAMPLES):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()

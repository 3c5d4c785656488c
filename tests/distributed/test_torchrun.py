"""Trainings that torchrun starts in several processes: same results as one process, also after kill -9."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processes import PATIENCE
from recurra.runs.layout import METRICS, SAMPLES, SUMMARY
from recurra.runs.run import train as train_run
from recurra.text.reading import read
from small_training import PACKAGE, TEXT, rows

pytestmark = pytest.mark.torch
pytest.importorskip("torch", reason="several processes need PyTorch: pip install 'recurra[torch]'")

OPTIONS: dict[str, Any] = {
    "preset": "classic", "cell": "lstm", "layers": 2, "hidden_size": 8, "batch_size": 32, "sequence_length": 5,
    "optimizer": "adam", "learning_rate": 0.004, "dropout": 0.2, "updates": 200, "log_every": 10, "sample_every": 100,
    "sample_length": 12, "validation": 0.1, "evaluate_every": 50, "ema": 0.9, "threads": 1,
}  # fmt: skip
LONG = TEXT * 20
KILLED_RANK = Path(__file__).parents[1] / "helpers" / "killed_rank.py"


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("books") / "long.txt"
    path.write_text(LONG)
    return path


RECURRA = ["-m", "--", "recurra"]


def command(book: Path, folder: Path, processes: int, *program: str, **settings: Any) -> list[str]:
    """Return a command line of torchrun with `processes` processes.

    `program` has more options of torchrun and the program to start; the default is `recurra`.
    """
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    options = [f"--{name.replace('_', '-')}={value}" for name, value in (OPTIONS | settings).items()]
    train = ["train", str(book), f"--run={folder}", "--no-proof", *options]
    return [sys.executable, *torchrun, *(program or RECURRA), *train]


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("TORCH")} | PACKAGE


def torchrun(book: Path, folder: Path, processes: int, **settings: Any) -> subprocess.CompletedProcess[str]:
    line = command(book, folder, processes, **settings)
    return subprocess.run(line, env=environment(), capture_output=True, text=True, check=False, timeout=PATIENCE)


def train_in_one_process(book: Path, folder: Path, **settings: Any) -> Path:
    """Run the same training in this process."""
    from recurra.config import configs

    model, training = configs(OPTIONS | settings)
    train_run(read(book), run=folder, model=model, training=training, with_proof=False)
    return folder


def summary(folder: Path) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((folder / SUMMARY).read_text())
    return table


def assert_same_results(folder: Path, other: Path) -> None:
    """Compare parameters, averages (by the held-out loss), metrics and samples of two runs."""
    for name in ("model_sha256", "best_update", "validation_nats_per_character", "epoch_means"):
        assert summary(folder)[name] == summary(other)[name]
    for name in (METRICS, SAMPLES):
        assert (folder / name).read_bytes() == (other / name).read_bytes()


@pytest.mark.parametrize("killed", [0, 1])
def test_restart_after_kill_gives_bits_of_one_process(killed: int, book: Path, tmp_path: Path) -> None:
    settings = {"updates": 300, "documents": "lines"} if killed else {"updates": 300, "order": "shuffled"}
    program = ["--max-restarts=1", "--", str(KILLED_RANK), str(killed)]
    line = command(book, tmp_path / "run", 2, *program, **settings, checkpoint_every=0)
    done = subprocess.run(line, env=environment(), capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("resumed   at update") == 1
    assert "internal" not in done.stderr
    assert_same_results(tmp_path / "run", train_in_one_process(book, tmp_path / "alone", **settings))


def test_four_processes_give_bits_of_one_process(book: Path, tmp_path: Path) -> None:
    done = torchrun(book, tmp_path / "run", 4, shards=4)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("engine compiled, 4 processes") == 1
    assert_same_results(tmp_path / "run", train_in_one_process(book, tmp_path / "alone", shards=4))


def test_engine_torch_in_two_processes_gives_losses_of_one(book: Path, tmp_path: Path) -> None:
    done = torchrun(book, tmp_path / "run", 2, engine="torch")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("engine torch on cpu, 2 processes") == 1
    train_in_one_process(book, tmp_path / "alone", engine="torch")
    records, expected = (rows(tmp_path / name / METRICS) for name in ("run", "alone"))
    assert len(records) == 20
    for key in ("smooth_loss", "gradient_norm"):
        assert np.allclose([row[key] for row in records], [row[key] for row in expected], rtol=1e-4)
    for key in ("mean", "min", "max"):
        assert np.allclose([row["loss"][key] for row in records], [row["loss"][key] for row in expected], rtol=1e-4 / 3)


def test_error_in_all_processes_is_printed_once(book: Path, tmp_path: Path) -> None:
    done = torchrun(book, tmp_path / "run", 2, engine="torch", batch_size=33)
    assert done.returncode != 0
    assert done.stderr.count("`batch_size` must be a multiple of 2, the number of processes; got 33.") == 1
    assert "internal" not in done.stderr
    assert not (tmp_path / "run").exists()

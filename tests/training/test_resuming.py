"""A training that stopped and goes on: the same bits as one that never did, whatever it is and wherever it stopped."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from small_training import TEXT, resume_small, train_small

from recurra import tensor_file
from recurra.errors import Interrupted
from recurra.model import BEST, CHECKPOINTS, load
from recurra.network.parameters import digest
from recurra.training.events import Event, Progress
from recurra.training.files import METRICS, SAMPLES
from recurra.training.files import SETTINGS as RUN_TOML

LAST = "update-000000000100.safetensors"
LINES = "".join(line * (i % 3) + "\n" for i, line in enumerate(TEXT.splitlines() * 3))
CASES: dict[str, dict[str, Any]] = {
    "the mission's": {},
    "its lowest loss is early": {"text": "ab" * 200 + TEXT, "updates": 150},
    "reference": {"engine": "reference"},
    "reference in batches": {"engine": "reference", "cell": "lstm", "layers": 2, "batch_size": 3, "optimizer": "adam"},
    "lstm, adam, average": {"cell": "lstm", "batch_size": 3, "optimizer": "adam", "ema": 0.9, "validation": 0.2},
    "gru, adamw, dropout": {"cell": "gru", "layers": 2, "batch_size": 4, "optimizer": "adamw", "dropout": 0.3},
    "relu, momentum, shuffled": {
        "activation": "relu", "batch_size": 2, "optimizer": "momentum", "order": "shuffled", "learning_rate": 0.01,
    },
    "sgd, random, cosine": {
        "optimizer": "sgd", "order": "random", "schedule": "cosine", "warm_up": 7, "clip_norm": 1.0,
    },
    "gru, rmsprop, nothing clipped": {"cell": "gru", "optimizer": "rmsprop", "learning_rate": 0.01, "clip_value": None},
    "nesterov in shards": {"optimizer": "nesterov", "batch_size": 9, "shards": 3, "learning_rate": 0.01, "layers": 2},
    "documents": {"documents": "lines", "text": LINES, "batch_size": 3, "cell": "lstm", "validation": 0.2},
    "plateaus": {
        "validation": 0.2, "learning_rate": 3.0, "evaluate_every": 10, "plateau": 2, "updates": 150, "log_every": 7,
    },
    "patience": {"validation": 0.2, "learning_rate": 3.0, "evaluate_every": 10, "patience": 4, "updates": 900},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def stop_at(update: int) -> Any:
    """A listener that stops the training there."""

    def listen(event: Event) -> None:
        if isinstance(event, Progress) and event.update >= update:
            os.kill(os.getpid(), signal.SIGTERM)

    return listen


class Killed(BaseException):
    """What no code of ours catches."""


def kill_at(update: int) -> Any:
    """A listener that ends the training there as if the process were killed, but for a checkpoint being written."""

    def listen(event: Event) -> None:
        if isinstance(event, Progress) and event.update >= update:
            raise Killed

    return listen


def lasting(folder: Path) -> dict[str, Any]:
    """What of a run is a function of its settings and its text alone, by name."""
    newest = max((folder / CHECKPOINTS).glob("update-*"))
    kept = {path.name: tensor_file.read(path) for path in (newest, folder / CHECKPOINTS / BEST)}
    of_arrays = {name: (digest(tensors), metadata["progress"]) for name, (tensors, metadata) in kept.items()}
    return {name: (folder / name).read_bytes() for name in (METRICS, SAMPLES, RUN_TOML)} | of_arrays


def same_course(summary: dict[str, Any]) -> dict[str, Any]:
    """The summary without where and when."""
    return {k: v for k, v in summary.items() if "second" not in k and k not in ("run", "peak_memory_bytes")}


@pytest.mark.parametrize("case", CASES)
def test_a_resumed_run_is_the_run_that_never_stopped(case: str) -> None:
    settings = CASES[case]
    unbroken = train_small("unbroken", **settings)
    with pytest.raises(Interrupted):
        train_small("broken", listeners=[stop_at(23)], **settings)
    with pytest.raises(Killed):
        resume_small("broken", settings.get("text", TEXT), checkpoint_every=0.0, listeners=[kill_at(60)])
    resumed = resume_small("broken", settings.get("text", TEXT), checkpoint_every=30.0)
    assert same_course(resumed.summary) == same_course(unbroken.summary)
    assert lasting(resumed.folder) == lasting(unbroken.folder)
    assert load("broken").sha256 == resumed.model.sha256 == unbroken.model.sha256

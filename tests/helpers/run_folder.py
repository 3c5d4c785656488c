"""Write small run directories like those of a training."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RUN_TOML = """\
[model]
cell = "elman"
hidden_size = 100
layers = 1
[training]
preset = "classic"
sequence_length = 25
batch_size = 1
learning_rate = 0.1
[text]
name = "fable"
characters = 50001
symbols = 60
sha256 = "c0ffee"
notes = ["CRLF became LF", "the vocabulary is that of the whole text"]
[versions]
numpy = "2.4.6"
[machine]
cpu = "znver5"
"""
HOSTILE = '<script>alert("x")</script> & a bell\a, an escape\x1b[2J,\n  two spaces, \u202eturned\ttab'


def _row(central: float, exact: float, figure: float | None, *, passed: bool = True) -> dict[str, Any]:
    row = {"max_abs_central": central, "max_rel_central": 2e-9, "max_rel_complex": exact}
    return row | {"seed_tolerance": figure, "passed": passed}


SUMMARY: dict[str, Any] = {
    "cell": "elman",
    "parameters": 28281,
    "updates": 4000,
    "epochs": 2.0,
    "updates_per_second": 15000.0,
    "characters_per_second": 375000.0,
    "smooth_loss": 52.5,
    "best_smooth_loss": 48.25,
    "best_update": 3000,
    "epoch_mean_nats_per_character": 2.0,
    "validation_nats_per_character": None,
    "model_sha256": "ab" * 32,
    "seconds": 75.0,
    "peak_memory_bytes": 104857600,
    "best_sample": "The best passage <i>of all</i>",
    "final_sample": "The final passage",
    "epoch_means": [{"epoch": 1, "nats_per_character": 2.25}, {"epoch": 2, "nats_per_character": 2.0}],
    "baselines": {"uniform": 5.907, "unigram": 4.25, "gzip": 2.75, "bzip2": 2.5, "xz": 2.625},
    "held_out_baselines": None,
    "validation_bits_per_character": None,
    "gradient_check": {
        "cells": {"elman": {"U": _row(3e-9, 4e-15, 1e-7), "c": _row(6e-9, 9e-16, 1e-5), "h0": _row(1e-9, 2e-15, None)}},
        "passed": True,
    },
}


def record(update: int, *, low: int = 3000) -> dict[str, Any]:
    """Return a line of metrics.jsonl; the smooth loss falls to 48.25 at update `low` and then rises."""
    smooth = 48.25 + abs(update - low) / 1000 * 4.25 + 50 * math.exp(-update / 300) * (update != low)
    loss = {"mean": smooth + 0.5, "min": smooth - 20.0, "max": smooth + 30.0}
    return {"update": update, "epoch": update / 2000, "loss": loss, "smooth_loss": smooth, "validation": None}


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


MakeRun = Callable[..., Path]


def write_run(folder: Path, *, without: tuple[str, ...] = (), **changes: Any) -> Path:
    """Write a run directory with `changes` in its summary, without the files named in `without`."""
    folder.mkdir()
    samples = [
        {"update": update, "temperature": 1.0, "seed": update, "text": text}
        for update, text in ((0, HOSTILE), (2000, "And so\n  the fox"), (4000, "The crow said"))
    ]
    files = {
        "run.toml": RUN_TOML,
        "metrics.jsonl": lines([record(update) for update in range(100, 4001, 100)]),
        "samples.jsonl": lines(samples),
        "timings.jsonl": lines([{"update": 4000, "seconds": 75.0, "updates_per_second": 15000.0}]),
        "summary.json": json.dumps(SUMMARY | changes),
    }
    for file, content in files.items():
        if file not in without:
            (folder / file).write_text(content, encoding="utf-8")
    return folder


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Return a function make_run(name, without=..., **changes), which calls `write_run`."""

    def make(name: str = "fable", **options: Any) -> Path:
        return write_run(tmp_path / name, **options)

    return make

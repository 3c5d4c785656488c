"""The benchmark of checkpoints: the printed ratio agrees with the measurements."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_checkpoint_benchmark_prints_the_ratio(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("A small book, of few words, read many times over.\n" * 80)
    options = [
        "--text",
        str(tmp_path / "book.txt"),
        "--trainings",
        "classic",
        "--rounds",
        "2",
        "--seconds",
        "0.01",
        "--json",
    ]
    command = [sys.executable, str(BENCHMARKS / "checkpoint_cost.py"), *options, "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (row,) = json.loads(done.stdout)
    assert row["training"] == "classic"
    assert row["quotient"]["min"] <= row["quotient"]["median"] <= row["quotient"]["max"]
    assert [path.name for path in tmp_path.iterdir()] == ["book.txt"]

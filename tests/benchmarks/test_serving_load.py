"""A short run of the server's benchmark: it prints its measurements."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from processes import PATIENCE

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.skipif(sys.platform != "linux", reason="it reads the server's memory from /proc")
def test_serving_benchmark_prints_its_measurements() -> None:
    for package in ("fastapi", "uvicorn"):
        pytest.importorskip(package, reason="the server needs the extra `serve`")
    options = ["--cell", "elman", "--hidden-size", "16", "--layers", "1", "--tokens", "20", "--requests", "2"]
    options += ["--clients", "10", "--seconds", "0.2", "--rounds", "1"]
    command = [sys.executable, str(BENCHMARKS / "serving_load.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
    result = json.loads(done.stdout)
    assert set(result["statuses"]) == {"200"}
    assert result["statuses"]["200"] >= 10
    assert result["ratio"] == result["together"] / result["one_at_a_time"]
    assert 0 < result["health_ms"]["p50"] <= result["health_ms"]["p99"] <= result["health_ms"]["max"]
    assert 0 < result["memory_mb"]["before"] <= result["memory_mb"]["most"]

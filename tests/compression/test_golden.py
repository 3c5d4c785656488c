"""Streams that were compressed once are decompressed for ever: by every CPU, with and without the JIT."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODES = {
    "native": ({}, ["elman", "lstm", "gru", "adaptive"]),
    "generic": ({"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}, ["lstm", "adaptive"]),
    "without the JIT": ({"NUMBA_DISABLE_JIT": "1"}, ["elman", "lstm", "gru", "adaptive"]),
    "on one core": ({}, ["--one-core", "elman", "lstm", "gru", "adaptive"]),
}


@pytest.mark.parametrize("mode", MODES)
def test_golden_streams(mode: str) -> None:
    script = Path(__file__).parents[1] / "helpers" / "golden_streams.py"
    own, names = MODES[mode]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_CPU")} | own
    line = [sys.executable, str(script), *names]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("".join(f"{name} agrees\n" for name in names if name != "--one-core"), "")

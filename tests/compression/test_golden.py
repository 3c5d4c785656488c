"""Golden streams: every CPU decompresses them, with the JIT and without it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ALL = ["elman", "lstm", "gru", "adaptive"]
WITHOUT_JIT = {"NUMBA_DISABLE_JIT": "1"}
MODES = {
    "generic": ({"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}, ["lstm", "adaptive"]),
    "without the JIT": (WITHOUT_JIT, ["gru"]),
    "without the JIT, a brief text": (WITHOUT_JIT, ["--brief", *ALL]),
    "on one core": ({}, ["--one-core", *ALL]),
}


def streams(variables: dict[str, str], words: list[str]) -> dict[str, str]:
    """Check the golden streams of some networks; return the digests of their streams of a brief text."""
    script = Path(__file__).parents[1] / "helpers" / "golden_streams.py"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_CPU")} | variables
    line = [sys.executable, str(script), *words]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return dict(line.split() for line in done.stdout.splitlines())


@pytest.fixture(scope="module")
def native() -> dict[str, str]:
    """Return the digests on this processor, after checking its golden streams."""
    digests = streams({}, ALL)
    assert list(digests) == ALL
    return digests


@pytest.mark.parametrize("mode", MODES)
def test_golden_streams(native: dict[str, str], mode: str) -> None:
    variables, words = MODES[mode]
    assert streams(variables, words) == {name: native[name] for name in ALL if name in words}

"""Training, scoring and sampling have the same bits without the JIT and for a generic CPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "helpers" / "engine_digests.py"
COUNTS = {"fused": 2, "batched": 3, "stepping": 4}


def digests(**variables: str) -> dict[str, list[str]]:
    """Return the digests by the part of the engine that computes them."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_CPU")} | variables
    done = subprocess.run([sys.executable, SCRIPT], env=environment, capture_output=True, text=True, check=True)
    return {part: result for part, *result in map(str.split, done.stdout.splitlines())}


@pytest.fixture(scope="module")
def native() -> dict[str, list[str]]:
    """The digests of this processor."""
    result = digests()
    assert {part: len(set(each)) for part, each in result.items()} == COUNTS
    return result


def test_same_bits_without_the_jit(native: dict[str, list[str]]) -> None:
    assert digests(NUMBA_DISABLE_JIT="1") == native


def test_same_bits_for_a_generic_cpu(native: dict[str, list[str]]) -> None:
    assert digests(NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="") == native

"""After kill -9 at random moments, the newest checkpoint is readable and resumes to the same result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from small_training import PACKAGE

KILLING = Path(__file__).parents[1] / "helpers" / "killing.py"
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.mark.parametrize(
    ("mode", "kills"),
    [
        ("constantly", 12),
        ("exactly", 4),
        pytest.param("constantly", 1000, marks=pytest.mark.durability),
        pytest.param("exactly", 50, marks=pytest.mark.durability),
    ],
)
def test_kill_at_random_moments_loses_no_checkpoint(tmp_path: Path, mode: str, kills: int) -> None:
    command = [sys.executable, str(KILLING), mode, str(tmp_path), str(kills)]
    environment = (
        os.environ | PACKAGE | {"OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "error,ignore::DeprecationWarning"}
    )
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout)
    print(mode, result)
    assert result["kills"] >= kills

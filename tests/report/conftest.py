"""The fixture of the report's tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from run_folder import MakeRun, write_run


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """make_run(name, without=..., **changes) writes a run folder; see `write_run`."""

    def make(name: str = "fable", **options: Any) -> Path:
        return write_run(tmp_path / name, **options)

    return make

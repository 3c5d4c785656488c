"""A restart by torchrun resumes the run of the same launch, and never a different run."""

from __future__ import annotations

from pathlib import Path

import pytest

import recurra
from recurra.errors import UsageError
from recurra.runs.layout import METRICS
from recurra.runs.restart import LaunchedRun, find_launched_run
from small_training import SETTINGS, TEXT, rows


@pytest.fixture(autouse=True)
def _start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "first")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")


def train(updates: int = 20, *, run: str | None = None, force: bool = False) -> Path:
    settings = SETTINGS | {"updates": updates, "preset": "classic"}
    return recurra.train(text=TEXT, run=run, force=force, proof=False, report=False, **settings).folder


@pytest.mark.parametrize("run", [None, "mine"])
def test_restart_finds_run_of_its_launch(run: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_launched_run(run, force=False) is None
    folder = train(run=run)
    assert find_launched_run(run, force=False) == LaunchedRun(folder, has_checkpoint=True)
    assert find_launched_run(run, force=True) is None, "`force` starts a new run before the first restart"
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert find_launched_run(run, force=True) == LaunchedRun(folder, has_checkpoint=True)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "second")
    assert find_launched_run(run, force=True) is None
    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    assert find_launched_run(run, force=True) is None


def test_restarted_command_resumes_run(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = train(run="mine")
    before = (folder / METRICS).read_bytes()
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert train(run="mine", force=True) == folder
    assert (folder / METRICS).read_bytes() == before
    for path in (folder / "checkpoints").iterdir():  # as after a kill before the first checkpoint
        path.unlink()
    assert find_launched_run("mine", force=False) == LaunchedRun(Path("mine"), has_checkpoint=False)
    assert train(30, run="mine") == folder
    assert [row["update"] for row in rows(folder / METRICS)] == [10, 20, 30]


def test_run_of_different_launch_is_not_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    train(run="mine")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "second")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    with pytest.raises(UsageError, match="`mine` is not empty"):
        train(run="mine")
    Path("mine/run.toml").write_text("not = [toml")
    assert find_launched_run("mine", force=False) is None

"""After a restart by torchrun: the run that was begun goes on, and never another one."""

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
def test_it_finds_the_run_that_it_began(run: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_launched_run(run, force=False) is None
    folder = train(run=run)
    assert find_launched_run(run, force=False) == LaunchedRun(folder, has_checkpoint=True)
    assert find_launched_run(run, force=True) is None, "what is forced is begun anew, the first time"
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert find_launched_run(run, force=True) == LaunchedRun(folder, has_checkpoint=True)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "second")
    assert find_launched_run(run, force=True) is None
    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    assert find_launched_run(run, force=True) is None


def test_the_same_command_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = train(run="mine")
    before = (folder / METRICS).read_bytes()
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert train(run="mine", force=True) == folder
    assert (folder / METRICS).read_bytes() == before
    for path in (folder / "checkpoints").iterdir():  # as if it had been killed before the first
        path.unlink()
    assert find_launched_run("mine", force=False) == LaunchedRun(Path("mine"), has_checkpoint=False)
    assert train(30, run="mine") == folder
    assert [row["update"] for row in rows(folder / METRICS)] == [10, 20, 30]


def test_a_run_of_another_start_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    train(run="mine")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "second")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    with pytest.raises(UsageError, match="`mine` is not empty"):
        train(run="mine")
    Path("mine/run.toml").write_text("not = [toml")
    assert find_launched_run("mine", force=False) is None

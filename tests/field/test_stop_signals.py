"""A training saves and ends in order after every kind of stop request."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from processes import RECURRA, ended, environment, started

ENDLESS = ["--preset", "classic", "--hidden-size", "8", "--updates", str(10**9), "--no-proof", "--run", "run"]
BOOK = "A small book, of few words, read many times over.\n" * 80


@pytest.fixture(autouse=True)
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("book.txt").write_text(BOOK, encoding="utf-8")


@pytest.fixture
def training() -> Iterator[subprocess.Popen[str]]:
    """An endless training that has started."""
    with started([*RECURRA, "train", "book.txt", *ENDLESS], stderr=subprocess.PIPE) as process:
        wait_for_updates(process)
        yield process


def wait_for_updates(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    assert any("updates/s" in line for line in iter(process.stderr.readline, ""))


def saved_update() -> int:
    return int(json.loads(Path("run/checkpoints/latest.json").read_text())["update"])


def test_closed_terminal_saves_checkpoint_and_ends(training: subprocess.Popen[str]) -> None:
    """The shell and the system each send a hangup; the second must not interrupt the handling of the first."""
    for _ in range(2):
        training.send_signal(signal.SIGHUP)
    code, said = ended(training)
    assert code == 129
    assert f"stopped by SIGHUP at update {saved_update():,}; the checkpoint is saved in `run`." in said


def test_terminal_that_disappears_is_a_hangup() -> None:
    process, terminal = pty.fork()
    if process == 0:  # pragma: no cover - the child becomes the command
        line = [*RECURRA, "train", "book.txt", *ENDLESS]
        os.execve(line[0], line, environment(TERM="xterm"))  # noqa: S606 - no shell is what is wanted
    seen = b""
    try:
        while b"updates/s" not in seen:
            seen += os.read(terminal, 65536)
    finally:
        os.close(terminal)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert code == 129
    assert saved_update() > 0


def test_under_nohup_a_closed_terminal_changes_nothing() -> None:
    line = ["nohup", *RECURRA, "train", "book.txt", *ENDLESS]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with started(line, **pipes) as process:
        wait_for_updates(process)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        code, said = ended(process)
    assert code == 143
    assert "stopped by SIGTERM" in said


def test_ctrl_c_pressed_many_times_shows_no_traceback(training: subprocess.Popen[str]) -> None:
    while training.poll() is None:
        training.send_signal(signal.SIGINT)
    code, said = ended(training)
    assert code in (130, -signal.SIGINT)  # which a shell shows as 130
    assert "Traceback" not in said
    assert "Exception" not in said
    assert "interrupted" in said or "stopped by SIGINT" in said

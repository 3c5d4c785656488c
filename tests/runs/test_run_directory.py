"""The lock of a run directory: a second training is refused and changes nothing."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from processes import started
from recurra.errors import StorageError, UsageError
from recurra.runs.run_directory import lock_run
from recurra.training.events import Event, Record
from small_training import all_bytes, resume_small, train_small

HOLDER = """
import sys
from pathlib import Path
from recurra.runs.run_directory import lock_run
with lock_run(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
HINT = "wait until it ends, or choose another folder with `--run`."


@pytest.mark.parametrize(
    "second",
    [
        lambda folder: train_small(folder),
        lambda folder: train_small(folder, force=True),
        lambda folder: resume_small(folder, updates=200),
    ],
    ids=["train", "force", "resume"],
)
def test_second_training_is_refused_and_changes_nothing(tmp_path: Path, second: Callable[[Path], Any]) -> None:
    train_small(tmp_path / "run")
    tried = []

    def listen(event: Event) -> None:
        if isinstance(event, Record) and event.update == 150:
            before = all_bytes(tmp_path / "run")
            with pytest.raises(UsageError, match=r"another training is running in `.*run`\.") as caught:
                second(tmp_path / "run")
            assert (caught.value.exit_code, caught.value.hint) == (2, HINT)
            assert all_bytes(tmp_path / "run") == before
            tried.append(event)

    resume_small(tmp_path / "run", updates=200, listeners=[listen])
    assert tried
    train_small(tmp_path / "run", force=True)  # the lock is released


def test_lock_of_killed_process_is_released(tmp_path: Path) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with started([sys.executable, "-c", HOLDER, tmp_path], **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match="another training is running"), lock_run(tmp_path):
            pass
    with lock_run(tmp_path):
        assert list(tmp_path.iterdir()) == []


def test_folder_is_not_locked_without_flock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", no_locks)
        with lock_run(tmp_path), lock_run(tmp_path):
            pass
    monkeypatch.setitem(__import__("sys").modules, "fcntl", None)
    with lock_run(tmp_path), lock_run(tmp_path):
        pass


def test_lock_of_missing_folder_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match=r"cannot write `.*none`: No such file or directory\."),
        lock_run(tmp_path / "none"),
    ):
        pass

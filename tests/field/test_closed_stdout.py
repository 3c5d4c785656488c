"""A command whose standard output is closed exits with code 141, like every program in a pipe."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from processes import RECURRA, environment
from recurra.cli import main

BOOK = "A small book, of few words, read many times over.\n" * 80
SHORT = ["--preset", "classic", "--hidden-size", "8", "--updates", "20", "--no-proof"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text and a run."""
    made = tmp_path_factory.mktemp("closed")
    (made / "book.txt").write_text(BOOK, encoding="utf-8")
    assert main(["train", str(made / "book.txt"), *SHORT, "--run", str(made / "run"), "--quiet"]) == 0
    return made


COMMANDS = [
    ["--help"],
    ["--version"],
    ["train", "--help"],
    ["books"],
    ["sample", "run", "--json"],
    ["score", "run", "book.txt"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_closed_stdout_gives_exit_code_141(folder: Path, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        line = [*RECURRA, *arguments]
        done = subprocess.run(
            line, cwd=folder, stdout=pipe, stderr=subprocess.PIPE, text=True, env=environment(), check=False
        )
    assert done.returncode == 141
    assert "Traceback" not in done.stderr
    assert "error" not in done.stderr

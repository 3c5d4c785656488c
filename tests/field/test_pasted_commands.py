"""Printed commands work when pasted, whatever the names of the run and the text."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from recurra.cli import main
from recurra.system.shell import path_argument

NAMES = [
    "-dash", "--run", "two words", "it's", 'a"quote', "$HOME", "a;b", "*", "naïve", "~", "runs/-dash", "\\", "!x",
    "\x1b[2J", "tab\there", "line\nend", "\u202eabc", "\u200e[1]", "#no", "\udcff",
]  # fmt: skip
SMALL = ["--preset", "classic", "--hidden-size", "8", "--updates", "20", "--no-proof"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_shell_reads_quoted_path_unchanged(name: str) -> None:
    word = path_argument(name)
    assert not any(character in word for character in "\x1b\u202e\udcff")
    done = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True)
    assert os.path.normpath(os.fsdecode(done.stdout)) == os.path.normpath(name)
    assert not done.stdout.startswith(b"-")


@pytest.mark.parametrize("name", ["-dash", "two words", "it's\x1b"], ids=ascii)
def test_the_next_command_and_the_suggested_ones(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"{name}.txt").write_text("A small book, of few words.\n" * 40, encoding="utf-8")
    (learn,) = commands(main([f"{name}.txt"]), capsys.readouterr().err) or [["recurra", "train", f"./{name}.txt"]]
    assert main([*learn[1:], *SMALL, f"--run={name}"]) == 0
    (following,) = commands(0, capsys.readouterr().err)
    assert following[:2] == ["recurra", "sample"]
    assert main([*following[1:], "--max-new-tokens", "5"]) == 0
    assert main(["sample", name]) == (2 if name.startswith("-") else 0)
    if name.startswith("-"):
        assert capsys.readouterr().err.endswith("Write a file of that name as `./-dash`.\n")


def commands(code: int, said: str) -> list[list[str]]:
    """The commands that were printed, as a shell reads them."""
    found = [*re.findall(r"`(recurra train [^`]*)`", said), *re.findall(r"^next +(recurra .*)$", said, re.MULTILINE)]
    read = [subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True) for line in found]
    return [os.fsdecode(done.stdout).split("\0")[:-1] for done in read]

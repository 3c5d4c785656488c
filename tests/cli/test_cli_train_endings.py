"""The end block of `recurra train` after divergence, at a time limit and for a tiny text."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from calling import Call
from recurra.training.trainer import Trainer

SMALL = ["--preset", "classic", "--hidden-size", "8", "--sequence-length", "5", "--no-proof", "--sample-every", "0"]
DIVERGED = (
    r"^warning: the training diverged: its latest loss, [\d,.]+ bits/character, is above the loss of a uniform guess, "
)


def hint(err: str) -> list[str]:
    """Return the arguments of the command in the hint."""
    found = re.search(r"^hint: .*: recurra (train .+)$", err, re.M)
    assert found is not None, err
    return shlex.split(found[1])


@pytest.mark.parametrize("rate", ["1", "1e10"])
def test_diverged_training_prints_command_that_converges(call: Call, book: Path, rate: str) -> None:
    code, _, err = call("train", book, *SMALL, "--updates", 60, "--learning-rate", rate, "--run", "my run")
    assert code == 0
    assert re.search(DIVERGED, err, re.M)
    code, _, err = call(*hint(err))
    assert code == 0
    assert "diverged" not in err
    assert "--learning-rate" not in err
    assert [path.name for path in Path().iterdir()] == ["my run"]


def test_diverged_resumed_training_prints_warning(call: Call, book: Path) -> None:
    call("train", book, *SMALL, "--updates", 10, "--run", "here", "--quiet")
    code, _, err = call("train", "--resume", "--run", "here", "--updates", 60, "--learning-rate", 1e5)
    assert code == 0
    arguments = hint(err)
    assert arguments == [
        "train", str(book), "--preset", "classic", "--updates", "60", "--learning-rate", "0.1"
    ]  # fmt: skip
    assert call(*arguments, "--quiet", "--no-proof").code == 0
    assert Path("runs", book.stem).is_dir()


def test_overflow_names_command_that_resumes(call: Call, book: Path) -> None:
    code, _, err = call("train", book, *SMALL, "--updates", 60, "--learning-rate", 1e30, "--run", "my run")
    assert code == 5
    assert "error: the loss became" in err
    assert "at update 2; it must be a number of at most 1e+15." in err
    assert call(*hint(err), "--quiet").code == 0


def test_training_stopped_by_time_limit(call: Call, book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin, seconds = Trainer.__init__, iter(range(10**6))

    def timed(self: Trainer, *arguments: Any, **named: Any) -> None:
        begin(self, *arguments, **named)
        self._clock = lambda: float(next(seconds))

    monkeypatch.setattr(Trainer, "__init__", timed)
    code, _, err = call("train", book, *SMALL, "--time-limit", "60s", "--max-epochs", 3, "--run", "here")
    assert code == 0
    lines = err.splitlines()
    assert lines[0] == "measuring the speed for about 0.6 s, to plan the updates for a time limit of 60 s"
    assert re.search(r"^ +stopped at the time limit, after [\d,]+ of [\d,]+ updates planned$", err, re.M)
    assert re.search(r"^100 %  ([\d,]+) of \1 updates ", err, re.M)
    assert "training has ended; computing the report" in err


def test_text_too_short_for_held_out_part(call: Call) -> None:
    Path("tiny.txt").write_text("a tiny text, of few words, that a network learns by heart\n")
    arguments = ["--hidden-size", 8, "--updates", 2, "--no-proof", "--sample-every", 0]
    code, _, err = call("train", "tiny.txt", *arguments)
    assert code == 0
    assert "; a text of fewer than 100 characters has no held-out part to show it" in err
    Path("short.txt").write_text("a short text, of some words, that a network learns by heart\n" * 3)
    assert "held out  the last 13.9 % of the text" in call("train", "short.txt", *arguments).err


def test_durations_are_shown_with_their_unit(call: Call) -> None:
    words = " ".join(call("train", "--help").out.replace("│", " ").split())
    assert "--checkpoint-every STR Time between checkpoints, such as 90s, 10m or 2h. [default: 30s]" in words

"""On a narrow terminal no word is broken, and commands are printed whole."""

from __future__ import annotations

import io
import os
import shutil
import sys

import pytest
from rich.console import Console

from recurra.cli import terminal
from recurra.cli.terminal import columns, redraw, wrap
from recurra.cli.train_progress import LatestEvents, draw_progress
from recurra.training import events

HEADER = ["", "bits/character", "nats/character", "bits/byte", "perplexity", "unknown", "characters/s"]
HEADINGS = ["bits", "nats", "character", "byte", "perplexity", "unknown", "characters"]
FIGURES = ["2.1028", "1.4576", "2.1028", "4.295", "0", "1,030,519"]


@pytest.fixture(params=[40, 60, 80, 120])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Make every stream a terminal of this many columns."""
    columns: int = request.param
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((columns, 24)))
    monkeypatch.setattr(terminal, "is_terminal", lambda stream: True)
    monkeypatch.setenv("NO_COLOR", "1")
    return columns


@pytest.mark.parametrize(
    "name", ["runs/kjv", "runs/" + "a-long-name-" * 6, "  dynamic, rms, learning rate 0.0012", "runs/红楼梦" * 5]
)
def test_table_fits_terminal_width(width: int, name: str) -> None:
    lines = columns([HEADER, [name, *FIGURES]], indent="  ")
    assert all(terminal._cells(line) <= width for line in lines)
    if width >= 80:
        shown = iter("".join(lines))
        assert all(character in shown for character in name.replace(" ", "")), "the name is there, in order"
        assert all(word in "\n".join(lines) for word in (*HEADINGS, *FIGURES))


def test_piped_table_keeps_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((20, 24)))
    assert columns([HEADER, ["runs/kjv", *FIGURES]])[0].split() == HEADER[1:]
    assert wrap("word " * 30, sys.stdout) == "word " * 30


def test_columns_of_wide_characters_are_aligned(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = columns([["红楼梦", "1"], ["kjv", "2"]])
    assert lines == ["红楼梦  1", "kjv     2"]


def test_message_is_folded_between_words(width: int) -> None:
    command = "`recurra train book.txt --learning-rate 0.1 --run runs/book`"
    message = f"the loss is worse than uniform; try a smaller rate: {command} would be one."
    lines = wrap(message, sys.stdout, label="hint: ").split("\n")
    assert "".join(line[6:] + " " for line in lines).split() == message.split()
    assert all(line.startswith("      ") for line in lines[1:])
    whole = [line for line in lines if "`" in line]
    assert len(whole) == 1, "the command is in one line"
    assert all(len(line) <= width for line in lines if line not in whole)


def test_the_progress_of_a_training_is_one_line(width: int) -> None:
    progress = events.Progress(103_500, 350_000, 50.0, 5.0)
    console = Console(file=io.StringIO(), width=width, no_color=True)
    console.print(draw_progress(LatestEvents(25, "character", progress)))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 2
    if width >= 80:
        assert "103,500 of 350,000 updates  20,700 updates/s  12 s left" in lines[0]
        assert lines[0].startswith("━━")


def test_redrawn_line_fits_terminal_width(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    redraw("runs/" + "x" * 200)
    assert len(capsys.readouterr().err.removeprefix("\r\x1b[K")) == width - 1

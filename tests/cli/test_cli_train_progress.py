"""The progress display of a training and its redraw rate."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from recurra.cli import train_progress
from recurra.cli.train_progress import (
    LatestEvents,
    LiveProgress,
    PlainProgress,
    SilentProgress,
    create_progress,
    draw_progress,
    milestones,
)
from recurra.training import events


def trainer(updates: int, *, span: int = 25, is_bytes: bool = False) -> Any:
    return SimpleNamespace(
        loss_span=span,
        training=SimpleNamespace(updates=updates),
        vocabulary=SimpleNamespace(is_bytes=is_bytes),
    )


def at(update: int, updates: int = 1000, smooth: float = 50.0, seconds: float = 2.0) -> events.Progress:
    return events.Progress(update, updates, smooth, seconds)


@given(st.integers(1, 10**9))
def test_milestones_are_few_and_end_at_the_end(updates: int) -> None:
    found = milestones(updates)
    assert found == sorted(set(found))
    assert found[-1] == updates
    assert found[0] > 0
    assert len(found) <= 20


def test_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    watch = PlainProgress()
    watch.begin(trainer(1000))
    with watch:
        for update in range(1, 1001):
            watch(at(update, seconds=update / 100))
        watch(events.Finishing(1000))
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == train_progress.FINISHING
    assert lines[:-1] == [
        f"{tenth * 10:3} %  {tenth * 100:,} of 1,000 updates  smooth loss 50.00 nats per 25 characters "
        f"(2.885 bits/character)  100 updates/s  {10 - tenth:.1f} s left"
        for tenth in range(1, 11)
    ]


def test_long_block_prints_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    watch = PlainProgress()
    watch.begin(trainer(1000))
    for update in (450, 451, 1000):
        watch(at(update))
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == ["45", "100"]


def test_held_out_and_means_in_their_units(capsys: pytest.CaptureFixture[str]) -> None:
    watch = PlainProgress()
    watch.begin(trainer(10, span=1, is_bytes=True))
    watch(events.Evaluated(10, 2.0, best=True))
    watch(at(10, 10, smooth=1.5))
    line = capsys.readouterr().err
    assert "smooth loss 1.500 nats/byte (2.164 bits)  held-out loss 2.000 nats/byte (2.885 bits)" in line


def test_progress_stores_last_checkpoint(capsys: pytest.CaptureFixture[str]) -> None:
    watch = SilentProgress()
    watch.begin(trainer(100))
    for update, smooth in ((10, 3.0), (20, 1.0), (30, 2.0)):
        watch(events.Record(update, 0.1, {}, smooth, None, 0.1, 1.0))
        watch(events.Checkpointed(update, Path(str(update))))
    watch(events.EpochEnded(1, 30, 2.0))
    assert watch.saved == events.Checkpointed(30, Path("30"))
    assert capsys.readouterr() == ("", "")


def test_display_depends_on_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(create_progress(quiet=True)) is SilentProgress
    assert type(create_progress(quiet=False)) is PlainProgress
    monkeypatch.setattr(train_progress, "can_move", lambda stream: stream is sys.stderr)
    assert type(create_progress(quiet=False)) is LiveProgress


def shown(seen: LatestEvents, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, no_color=True)
    console.print(draw_progress(seen))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_the_drawing() -> None:
    sample = events.Sampled(500, 1.0, 500, "One line\n\x1b[31mred\r\n" + "long " * 50 + "\n" * 9)
    lines = shown(LatestEvents(25, "character", at(500), sample))
    assert "50 %" in lines[0]
    assert lines[0].endswith("500 of 1,000 updates  250 updates/s  2.0 s left")
    assert lines[1] == "smooth loss 50.00 nats per 25 characters (2.885 bits/character)"
    assert lines[2:6] == [
        "sample after 500 updates:",
        "  One line",
        "  \\x1b[31mred\\r",
        "  " + ("long " * 50)[:77] + "…",
    ]
    assert len(lines) == 3 + train_progress.SAMPLE_LINES
    assert len(shown(LatestEvents(25, "character", at(500)))) == 2
    held_out = shown(LatestEvents(25, "character", at(500), None, events.Evaluated(400, 2.0, best=True)))
    assert held_out[2:] == ["held-out loss 2.000 nats/character (2.885 bits)"]


class Clock:
    """A clock that the test advances."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr("time.perf_counter", lambda: self.now)


def test_redraw_rate_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, drawn = Clock(monkeypatch), []
    watch = LiveProgress()
    watch.begin(trainer(100_000))

    def draw(seen: LatestEvents) -> str:
        drawn.append(clock.now)
        clock.now += 0.002
        return ""

    monkeypatch.setattr(train_progress, "draw_progress", draw)
    monkeypatch.setattr(watch, "_display", SimpleNamespace(start=int, stop=int, update=lambda *_, **__: None))
    with watch:
        for update in range(1, 50 * 60 + 1):  # a minute of fifty events a second
            clock.now += 0.02
            watch(at(update, 100_000))
    assert (
        min(later - earlier for later, earlier in zip(drawn[1:], drawn, strict=False))
        >= train_progress.MIN_REDRAW_SECONDS
    )
    assert 0.002 * len(drawn) < 0.01 * 60
    assert len(drawn) > 60


def test_closed_terminal_does_not_stop_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **named: object) -> None:
        raise BrokenPipeError

    watch = LiveProgress()
    watch.begin(trainer(10))
    monkeypatch.setattr(watch, "_display", SimpleNamespace(start=fail, stop=fail, update=fail))
    with watch:
        watch(at(5, 10))
        watch(at(10, 10))

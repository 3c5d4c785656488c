"""The progress display of a training: redrawn in place on a terminal, a few plain lines elsewhere.

Both displays listen to the events of the trainer, about fifty per second. Drawing takes about a millisecond.
Therefore the terminal display redraws at most eight times per second and uses less than 1 % of the time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from recurra.cli.terminal import GAP, can_move, has_color, print_stderr, redraw
from recurra.formatting import describe_loss, duration, rate, sanitize
from recurra.training import events
from recurra.training.events import Event

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from recurra.training.snapshot import LowestLoss
    from recurra.training.trainer import Trainer

FINISHING = "training has ended; computing the report: samples, baselines, gradient check"
MIN_REDRAW_SECONDS = 0.125
MAX_REDRAW_SECONDS = 2.0  # the first drawing is slow and must not delay the second for long
MAX_DRAWING_SHARE = 0.007  # of the training time
SAMPLE_LINES = 6
MAX_BAR_WIDTH, MIN_BAR_WIDTH = 30, 5  # terminal columns


class LatestEvents(NamedTuple):
    """The newest event of each kind; a training loss is a sum over `span` symbols, each a `unit`."""

    span: float = 1
    unit: str = "character"
    progress: events.Progress | None = None
    sample: events.Sampled | None = None
    evaluated: events.Evaluated | None = None


def create_progress(*, quiet: bool) -> SilentProgress:
    """Return the progress display that suits stderr; call its `begin` before the first event."""
    if quiet:
        return SilentProgress()
    return LiveProgress() if can_move(sys.stderr) else PlainProgress()


class SilentProgress:
    """A listener that prints nothing and stores the newest event of each kind and the last checkpoint."""

    def __init__(self) -> None:
        self.seen = LatestEvents()
        self.saved: events.Checkpointed | None = None
        self._trainer: Trainer | None = None

    def begin(self, trainer: Trainer) -> None:
        """Prepare for the events of `trainer`."""
        unit = "byte" if trainer.vocabulary.is_bytes else "character"
        self.seen = LatestEvents(trainer.loss_span, unit)
        self._trainer = trainer

    @property
    def lowest(self) -> LowestLoss | None:
        """The lowest smooth loss of all records, including the records from before a resume."""
        return None if self._trainer is None else self._trainer.lowest

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, event: Event) -> None:
        match event:
            case events.Progress():
                self.seen = self.seen._replace(progress=event)
                self.advance(event)
            case events.Sampled():
                self.seen = self.seen._replace(sample=event)
            case events.Evaluated():
                self.seen = self.seen._replace(evaluated=event)
            case events.Checkpointed():
                self.saved = event
            case events.Finishing():
                self.finishing()
            case events.Calibrating():
                self.calibrating(event)
            case events.Gathering():
                self.gathering(event)
            case _:
                pass

    def advance(self, progress: events.Progress) -> None:
        """Show the progress after a block of updates."""

    def calibrating(self, event: events.Calibrating) -> None:
        """Announce that the trainer is about to time a few updates."""

    def finishing(self) -> None:
        """Announce that training has ended and the computation of the report begins."""

    def gathering(self, gathered: events.Gathering) -> None:
        """Show the progress of the computation of the report."""

    def close(self) -> None:
        """Remove the display."""


class AnnouncedProgress(SilentProgress):
    """A listener that announces the long steps before and after training."""

    def calibrating(self, event: events.Calibrating) -> None:
        print_stderr(
            f"measuring the speed for about {duration(event.seconds)}, "
            f"to plan the updates for a time limit of {duration(event.time_limit)}"
        )

    def finishing(self) -> None:
        self.close()
        print_stderr(FINISHING)


class PlainProgress(AnnouncedProgress):
    """A listener that prints a line at each power of ten and at each tenth of the run: about twenty lines."""

    def __init__(self) -> None:
        super().__init__()
        self._milestones: Iterator[int] = iter(())
        self._next: int | None = None

    def advance(self, progress: events.Progress) -> None:
        if self._next is None:
            self._milestones = iter(milestones(progress.updates))
            self._next = next(self._milestones)
        if progress.update < min(self._next, progress.updates):
            return
        while self._next <= progress.update < progress.updates:
            self._next = next(self._milestones)
        print_stderr("  ".join(_figures(self.seen)))


class LiveProgress(AnnouncedProgress):
    """A listener that draws a bar, the speed, the losses and the newest sample in place."""

    def __init__(self) -> None:
        super().__init__()
        from rich import progress_bar, table  # noqa: F401 - imported now, or the first drawing would be slow
        from rich.console import Console
        from rich.live import Live as Display

        console = Console(stderr=True, no_color=not has_color(sys.stderr), highlight=False, emoji=False)
        self._display = Display(console=console, auto_refresh=False, transient=True)
        self._due = 0.0

    def gathering(self, gathered: events.Gathering) -> None:
        now, ended = time.perf_counter(), gathered.done == gathered.total
        if ended or now >= self._due:
            words = f"{gathered.part}: {100 * gathered.done // max(gathered.total, 1)} % of {gathered.total:,} elements"
            redraw("" if ended else words)
            self._due = now + MIN_REDRAW_SECONDS

    def advance(self, progress: events.Progress) -> None:
        now = time.perf_counter()
        if now < self._due and progress.update < progress.updates:
            return
        try:
            self._display.start()
            self._display.update(draw_progress(self.seen), refresh=True)
            done = time.perf_counter()
            self._due = done + min(max(MIN_REDRAW_SECONDS, (done - now) / MAX_DRAWING_SHARE), MAX_REDRAW_SECONDS)
        except OSError:  # the terminal is gone; the training continues
            self._due = float("inf")

    def close(self) -> None:
        redraw("")
        try:
            self._display.stop()
        except OSError:
            return


def milestones(updates: int) -> list[int]:
    """Return the updates after which a plain line is printed: powers of ten, tenths of the run, and the last."""
    powers = [10**power for power in range(2, 20) if 10**power < updates / 10]
    tenths = [updates * tenth // 10 for tenth in range(1, 11)]
    return sorted({*powers, *(tenth for tenth in tenths if tenth > 0)})


def draw_progress(seen: LatestEvents) -> RenderableType:
    """Return the display that `LiveProgress` draws."""
    from rich.console import Group
    from rich.text import Text

    progress = seen.progress
    assert progress is not None  # noqa: S101 - nothing is drawn before the first event
    share, count, loss, *held_out, speed, left = _figures(seen)
    parts: list[Any] = [
        ProgressHeader(progress.update / progress.updates, (share, count, speed, left)),
        *(Text(line, style="bold", no_wrap=True, overflow="ellipsis") for line in (loss, *held_out)),
    ]
    if seen.sample is not None:
        parts.append(Text(f"sample after {seen.sample.update:,} updates:", style="dim"))
        lines = sanitize(seen.sample.text).expandtabs(4).split("\n")[:SAMPLE_LINES]
        parts += [Text(f"  {line}", no_wrap=True, overflow="ellipsis") for line in lines]
    return Group(*parts)


class ProgressHeader(NamedTuple):
    """The first line of the display: a bar, if the terminal is wide enough, and figures."""

    share: float
    figures: tuple[str, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the line to rich."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        width = min(MAX_BAR_WIDTH, options.max_width - sum(len(figure) + len(GAP) for figure in self.figures))
        bar = [ProgressBar(total=1, completed=self.share, width=width)] if width >= MIN_BAR_WIDTH else []
        top = Table.grid(padding=(0, len(GAP)))
        top.add_row(*bar, *(Text(figure, no_wrap=True, overflow="ellipsis") for figure in self.figures))
        yield top


def _figures(seen: LatestEvents) -> list[str]:
    """Return share, count, smooth loss, held-out loss (if measured), speed and remaining time, each as text."""
    progress = seen.progress
    assert progress is not None  # noqa: S101 - nothing is printed before the first event
    speed = progress.update / progress.seconds if progress.seconds else 0.0
    left = (progress.updates - progress.update) / speed if speed else 0.0
    held_out = [f"held-out loss {describe_loss(seen.evaluated.validation, 1, seen.unit)}"] if seen.evaluated else []
    return [
        f"{100 * progress.update // progress.updates:3} %",
        f"{progress.update:,} of {progress.updates:,} updates",
        f"smooth loss {describe_loss(progress.smooth_loss, seen.span, seen.unit)}",
        *held_out,
        rate(speed, "updates"),
        f"{duration(left)} left",
    ]

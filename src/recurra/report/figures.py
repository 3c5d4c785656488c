"""The figures of a report: the smooth loss over the updates, and bits per character beside the baselines.

Both take any number of runs. The left axis has the loss in nats, as the run sums it (over 25 characters for preset
classic); the right axis has bits per character: bits = nats / (span · ln 2).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from recurra.errors import ModelError, UsageError
from recurra.io.atomic_write import write_output
from recurra.report.drawing import FIGURE_FORMATS, PAPER, Palette, as_file, style
from recurra.runs.curves import BASELINES, decimate
from recurra.runs.records import Point, RunData, load, mapping, number, unit_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONG_RUN_RECORDS = 20  # a run with fewer records has no level part to enlarge
MAX_EPOCH_LINES = 12
FIGURE_WIDTH_INCHES = 7.6
LAST_EPOCH, HELD_OUT = "last complete epoch", "held-out text"  # labels of losses in bits per character


def write_figures(folders: Sequence[Path], directory: Path, format: str = "pdf") -> tuple[Path, ...]:
    """Draw "smooth-loss" and "bits-per-character" of the runs into `directory` as "pdf", "png" or "svg".

    Leave out a figure without data; return the files. Raises UsageError for another format, ModelError if a
    directory contains no run or no run has data for a figure, StorageError if a file cannot be written.
    """
    if format not in FIGURE_FORMATS:
        raise UsageError(f"`format` must be one of {', '.join(FIGURE_FORMATS)}; got {format!r}.")
    runs = [load(folder) for folder in folders]
    written = []
    for name, draw in (("smooth-loss", draw_smooth_loss), ("bits-per-character", draw_bits)):
        with style(PAPER, name):
            figure = draw(runs, PAPER)
            if figure is not None:
                written.append(write_output(Path(directory) / f"{name}.{format}", as_file(figure, format)))
    if not written:
        raise ModelError("there is nothing to draw: no run has metrics or baselines yet.")
    return tuple(written)


def draw_smooth_loss(runs: Sequence[RunData], palette: Palette) -> Figure | None:
    """Draw the loss over the updates, the whole range above and the level part enlarged below; None without records.

    The figure of one run also marks the epochs, the held-out losses, and the final and the lowest smooth loss. A band
    shows the range of the losses between two records, and a thin line their mean. The figure of several runs shows
    their smooth and held-out losses.
    """
    from matplotlib.figure import Figure

    runs = [run for run in runs if run.records]
    if not runs:
        return None
    span = runs[0].span if len({run.span for run in runs}) == 1 else 1
    near = any(len(run.records) >= LONG_RUN_RECORDS for run in runs)
    figure = Figure(figsize=(FIGURE_WIDTH_INCHES, 5.6 if near else 3.4))
    panels = figure.subplots(2 if near else 1, sharex=True, squeeze=False, height_ratios=[2, 3] if near else None)
    axes: list[Axes] = list(panels[:, 0])
    for panel in axes:
        _scale(panel, span, palette)
        for index, run in enumerate(runs):
            _curve(panel, run, span, _color(palette, index), alone=len(runs) == 1)
        if len(runs) == 1:
            _losses_between_records(panel, runs[0], _color(palette, 0), band=panel is axes[0])
            _epoch_lines(panel, runs[0], palette, labeled=panel is axes[0])
    if near:
        axes[1].set_ylim(*_near(runs, span))
    if len(runs) == 1:
        _marks(axes[-1], runs[0], palette)
    axes[-1].set_xlabel("updates")
    _legend(axes, palette, columns=1 if len(runs) > 1 else 2)
    return figure


def _color(palette: Palette, index: int) -> str:
    return palette.series[index % len(palette.series)]


def _scale(axes: Axes, span: int, palette: Palette) -> None:
    """Label the axes: nats on the left, bits per character on the right, updates below with thousands separators."""
    import numpy as np

    axes.margins(x=0.01)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel(unit_of(span))
    unit = span * math.log(2)
    to_bits, to_nats = (lambda nats: np.asarray(nats) / unit), (lambda bits: np.asarray(bits) * unit)
    right = axes.secondary_yaxis("right", functions=(to_bits, to_nats))
    right.tick_params(width=0.6)
    # At the same place in both panels, even if their numbers differ in width.
    axes.yaxis.set_label_coords(-0.075, 0.5)
    axes.annotate(
        "bits per character",
        (1, 0.5),
        xycoords="axes fraction",
        xytext=(32, 0),
        textcoords="offset points",
        rotation="vertical",
        va="center",
        color=palette.muted,
    )


def _curve(axes: Axes, run: RunData, span: int, color: str, *, alone: bool) -> None:
    """Draw the smooth loss, and the held-out loss if the run has one."""
    records = decimate(run.records)
    smooth = [record.smooth * span / run.span for record in records]
    label = "smooth loss" if alone else run.name
    axes.plot([record.update for record in records], smooth, color=color, lw=1.7, label=label, zorder=3)
    scored = [(record.update, record.validation) for record in run.records if record.validation is not None]
    if scored:
        label = HELD_OUT if alone else f"{run.name}, {HELD_OUT}"
        updates, losses = [update for update, _ in scored], [loss * span for _, loss in scored]
        axes.plot(updates, losses, "D", color=color, ms=3.6, mfc="none", label=label, zorder=4)


def _losses_between_records(axes: Axes, run: RunData, color: str, *, band: bool) -> None:
    """Draw faintly the mean of the losses between two records, and the band from the lowest to the highest."""
    records = decimate(run.records)
    updates = [record.update for record in records]
    if band:
        lows, highs = [record.low for record in records], [record.high for record in records]
        label = "range of the losses between two records"
        axes.fill_between(updates, lows, highs, color=color, alpha=0.13, linewidth=0, label=label)
    means = [record.mean for record in records]
    axes.plot(updates, means, color=color, alpha=0.5, lw=0.7, label="mean of the losses between two records")


def _epoch_lines(axes: Axes, run: RunData, palette: Palette, *, labeled: bool) -> None:
    length, last = run.updates_per_epoch, run.records[-1].update
    if length is None:
        return
    epochs = int(last / length)
    step = math.ceil(max(1, epochs) / MAX_EPOCH_LINES)
    for begun in range(step, epochs + 1, step):
        place = begun * length
        if place > last:  # rounding of the last record's epoch
            continue
        axes.axvline(place, color=palette.muted, linewidth=0.6, linestyle=(0, (3, 3)), zorder=1)
        if labeled:
            axes.annotate(
                f"epoch {begun + 1}",
                (place, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                fontsize=7.5,
                color=palette.muted,
            )


def _near(runs: Sequence[RunData], span: int) -> tuple[float, float]:
    """Return the range of the smooth losses after the first tenth of each run, with space for the marks."""
    level = [
        record.smooth * span / run.span
        for run in runs
        for record in run.records
        if record.update >= run.records[-1].update / 10
    ]
    held_out = [r.validation * span for run in runs for r in run.records[1:] if r.validation is not None]
    low, high = min(level + held_out[-1:]), max(level)
    space = 0.17 * (high - low) or 1.0  # below and above the curve, for the text of the marks
    return low - space, high + space


def _marks(axes: Axes, run: RunData, palette: Palette) -> None:
    """Mark the final smooth loss above the curve and the lowest one below it, in both units."""
    lowest, final = run.lowest, run.final
    if lowest is None or final is None:
        return
    same = lowest.update == final.update
    _mark(axes, run, final, "final and lowest" if same else "final", palette.final, palette, above=True)
    if not same:
        _mark(axes, run, lowest, "lowest", palette.lowest, palette, above=False)


def _mark(axes: Axes, run: RunData, point: Point, name: str, color: str, palette: Palette, *, above: bool) -> None:
    edge = 0.98 if above else 0.02
    at_right = point.update > run.records[-1].update / 2
    axes.annotate(
        f"{name} {point.loss:.2f} nats, {run.bits(point.loss):.2f} bits",
        point,
        xytext=(point.update, edge),
        textcoords=("data", "axes fraction"),
        ha="right" if at_right else "left",
        va="top" if above else "bottom",
        color=color,
        fontweight="bold",
        fontsize=8,
        arrowprops={
            "arrowstyle": "-",
            "color": color,
            "linewidth": 0.8,
            "shrinkA": 1,
            "relpos": (at_right, 0.5),
        },
        zorder=6,
    )
    shape = "o" if above else "v"
    axes.plot(*point, shape, color=color, ms=6, mec=palette.paper, zorder=7, clip_on=False)


def _legend(axes: Sequence[Axes], palette: Palette, *, columns: int) -> None:
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].legend(handles, labels, loc="upper right", ncols=columns, fontsize=7.5, labelcolor=palette.ink)


class Bar(NamedTuple):
    """A row of `draw_bits`; `series` is the index of the run, or None for a baseline."""

    label: str
    bits: float
    series: int | None


def draw_bits(runs: Sequence[RunData], palette: Palette) -> Figure | None:
    """Draw the bits per character of every baseline and run as horizontal bars. None if there is no bar."""
    from matplotlib.figure import Figure

    rows = bars(runs)
    if not rows:
        return None
    figure = Figure(figsize=(FIGURE_WIDTH_INCHES, 0.5 + 0.27 * len(rows)))
    axes = figure.subplots()
    colors = [palette.muted if row.series is None else _color(palette, row.series) for row in rows]
    places = range(len(rows))  # not the labels, since two runs may have the same name
    drawn = axes.barh(places, [row.bits for row in rows], color=colors, height=0.62)
    axes.set_yticks(places, [row.label for row in rows])
    for patch, row in zip(drawn, rows, strict=True):
        patch.set_alpha(0.45 if row.series is None else 1.0)
    axes.bar_label(drawn, [f"{row.bits:.3f}" for row in rows], padding=4, color=palette.ink)
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.tick_params(length=0, labelcolor=palette.ink)
    axes.spines[["right", "bottom"]].set_visible(False)
    axes.xaxis.set_visible(False)
    axes.margins(x=0.1)
    return figure


def bars(runs: Sequence[RunData]) -> list[Bar]:
    """Return the rows of `draw_bits`: the baselines of each text once, and the runs, with different labels."""
    rows: list[Bar] = []
    texts: set[str] = set()
    several_texts = len({text_key(run) for run in runs}) > 1
    for index, run in enumerate(runs):
        about = f"{run.text_name}: " if several_texts else ""
        if text_key(run) not in texts:
            texts.add(text_key(run))
            baselines = mapping(run.summary.get("baselines"))
            losses = ((label, number(baselines, name)) for name, label in BASELINES.items())
            rows += [Bar(about + label, bits, None) for label, bits in losses if bits is not None]
        about = f"{run.name}: " if len(runs) > 1 else ""
        rows += [Bar(about + label, bits, index) for label, bits in run_bits(run)]
    return rows


def run_bits(run: RunData) -> list[tuple[str, float]]:
    """Return the losses of a run in bits per character, with labels.

    The first is the mean of the last complete epoch, or else the final smooth loss; the second is the held-out loss.
    """
    losses = []
    mean = number(run.summary, "epoch_mean_nats_per_character")
    if mean is not None:
        losses.append((LAST_EPOCH, mean / math.log(2)))
    elif run.final is not None:
        losses.append(("final smooth loss", run.bits(run.final.loss)))
    held_out = held_out_bits(run)
    return losses if held_out is None else [*losses, (HELD_OUT, held_out)]


def held_out_bits(run: RunData) -> float | None:
    """Return the held-out loss in bits per character, or None if no text was held out."""
    bits = number(run.summary, "validation_bits_per_character")
    nats = number(run.summary, "validation_nats_per_character")
    return bits if bits is not None or nats is None else nats / math.log(2)


def text_key(run: RunData) -> str:
    """Return an identifier of the text: its hash, or else its name."""
    return str(run.table("text").get("sha256") or run.text_name)

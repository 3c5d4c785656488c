"""The smooth loss over the updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recurra.report.figures import draw_smooth_loss
from recurra.report.markup import Html, fixed, missing_note, tag, whole
from recurra.report.page_parts import drawing

if TYPE_CHECKING:
    from recurra.runs.records import RunData


def loss_section(run: RunData, salt: str) -> Html:
    """The plot of the smooth loss."""
    final, lowest = run.final, run.lowest
    if not run.records or final is None or lowest is None:
        return missing_note("Absent: the run has no records of its loss yet.")
    first = run.records[0]
    unit = run.unit
    description = (
        f"The smooth loss over {whole(run.records[-1].update)} updates: {fixed(first.smooth, 1)} {unit} "
        f"at update {whole(first.update)}, {fixed(final.loss, 2)} at the end, "
        f"lowest {fixed(lowest.loss, 2)} at update {whole(lowest.update)}."
    )
    caption = (
        "The loss over the updates, in full above and from nearer below. The first smooth loss is the first "
        "loss; each further one is 0.999 of the last and 0.001 of the new. "
        "Where a new epoch begins, the network's memory is set to zero and the text starts again."
    )
    figure = drawing(draw_smooth_loss, [run], salt, description, tag("b", "Smooth loss. "), caption)
    return figure if figure is not None else missing_note("Absent: nothing to draw.")

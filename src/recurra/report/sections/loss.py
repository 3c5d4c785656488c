"""The smooth loss over the updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recurra.report.figures import draw_smooth_loss
from recurra.report.markup import Html, fixed, missing_note, tag, whole
from recurra.report.page_parts import drawing

if TYPE_CHECKING:
    from recurra.runs.records import RunData


def loss_section(run: RunData, salt: str) -> Html:
    """Return the plot of the smooth loss."""
    final, lowest = run.final, run.lowest
    if not run.records or final is None or lowest is None:
        return missing_note("the run has no records of its loss yet.")
    first = run.records[0]
    description = (
        f"The smooth loss over {whole(run.records[-1].update)} updates: {fixed(first.smooth, 1)} {run.unit} "
        f"at update {whole(first.update)}, {fixed(final.loss, 2)} at the end, "
        f"lowest {fixed(lowest.loss, 2)} at update {whole(lowest.update)}."
    )
    caption = (
        "Above: the whole range of the loss. Below: the lower part, enlarged. The smooth loss is a moving average: "
        "after each update it is 0.999 times its old value plus 0.001 times the new loss. It starts at the first loss, "
        "so during the first few thousand updates it can be well above the loss itself. "
        "At the start of each epoch the network begins the text again, from a zero state."
    )
    figure = drawing(draw_smooth_loss, [run], salt, description, tag("b", "Smooth loss. "), caption)
    return figure if figure is not None else missing_note("the run has no data for this figure.")

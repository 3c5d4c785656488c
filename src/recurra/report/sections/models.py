"""The final and the best model, and a sample of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recurra.report.figures import held_out_bits
from recurra.report.markup import Html, fixed, join, missing_note, table, tag, whole
from recurra.report.page_parts import passage
from recurra.runs.records import mapping

if TYPE_CHECKING:
    from recurra.runs.records import RunData


def models_section(run: RunData) -> Html:
    """The final and the best model, and what the best one wrote."""
    final, best = run.final, run.best
    if final is None or best is None:
        return missing_note("Absent: the run has no loss yet, so there is no best model.")
    judged = "held-out text" if held_out_bits(run) is not None else "the smooth loss at the records"
    rows = [
        [
            label,
            whole(point.update),
            _epoch(run, point.update),
            fixed(point.loss, 4),
            fixed(run.bits(point.loss)),
        ]
        for label, point in (("Final", final), ("Best", best))
    ]
    header = ["Model", "Updates", "Epoch", f"Smooth loss, {run.unit}", "Bits per character"]
    parts = [table(f"The final and the best model (best by {judged})", header, rows, kind="wide")]
    digest = run.summary.get("model_sha256")
    if isinstance(digest, str):
        parts.append(tag("p", "SHA-256 of the final parameters: ", tag("code", digest), class_="note"))
    wrote = [("best_sample", "What the best model wrote"), ("final_sample", "What the final model wrote")]
    found = [(key, title, text) for key, title in wrote if isinstance(text := run.summary.get(key), str) and text]
    if len(found) == 2 and found[0][-1] == found[1][-1]:
        found = [("best_sample", "What the best model, which is the final one, wrote", found[0][-1])]
    copied = mapping(run.summary.get("copied"))
    for key, title, text in found:
        label = tag("p", tag("b", title), tag("span", f"{len(text):,} characters"), class_="when")
        parts.append(tag("div", label, passage(text, mapping(copied.get(key))), class_="passage"))
    if not found:
        parts.append(missing_note("Absent: the passage of the best model is written when the run ends."))
    return join(parts)


def _epoch(run: RunData, update: int) -> str:
    length = run.updates_per_epoch
    return "\u2013" if length is None else fixed(update / length, 2)

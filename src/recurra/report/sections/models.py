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
    """Return the losses of the final and the best model, and a text of each."""
    final, best = run.final, run.best
    if final is None or best is None:
        return missing_note("the run has no loss yet, so there is no best model.")
    is_held_out = held_out_bits(run) is not None
    criterion = "held-out loss" if is_held_out else "recorded smooth loss"
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
    header = ["Model", "Updates", "Epoch", f"Smooth loss, {run.unit}", "Smooth loss, bits per character"]
    parts = [table(f"Final and best model. The best model has the lowest {criterion}.", header, rows, kind="wide")]
    if is_held_out and best.loss > final.loss:
        note = (
            "Here the best model has a higher smooth loss than the final model. The smooth loss is an average over the "
            "training text, but the held-out loss determines which model is best."
        )
        parts.append(tag("p", note, class_="note"))
    digest = run.summary.get("model_sha256")
    if isinstance(digest, str):
        parts.append(tag("p", "SHA-256 of the final parameters: ", tag("code", digest), class_="note"))
    titles = [("best_sample", "Text of the best model"), ("final_sample", "Text of the final model")]
    texts = [(key, title, text) for key, title in titles if isinstance(text := run.summary.get(key), str) and text]
    if len(texts) == 2 and texts[0][-1] == texts[1][-1]:
        texts = [("best_sample", "Text of the best model, which is also the final model", texts[0][-1])]
    copied = mapping(run.summary.get("copied"))
    for key, title, text in texts:
        label = tag("p", tag("b", title), tag("span", f"{len(text):,} characters"), class_="when")
        parts.append(tag("div", label, passage(text, mapping(copied.get(key))), class_="passage"))
    if not texts:
        parts.append(missing_note("the best model generates a text when the training ends."))
    return join(parts)


def _epoch(run: RunData, update: int) -> str:
    length = run.updates_per_epoch
    return "\u2013" if length is None else fixed(update / length, 2)

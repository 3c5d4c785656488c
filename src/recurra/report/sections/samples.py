"""The samples that the network generated during training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra.report.markup import Html, join, missing_note, tag, whole
from recurra.report.page_parts import passage
from recurra.runs.records import SampleLine, mapping, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recurra.runs.records import RunData

# The seed shows ten; of a longer run these many stand open, the last one too, and the others fold away.
OPEN_SAMPLES = 11


def samples_section(run: RunData) -> Html:
    """Every sample with its update and temperature; the middle of a long run folds away."""
    samples = run.samples
    if not samples:
        return missing_note("Absent: the run wrote no samples.")
    words = (
        "Each passage starts from an empty memory. White space is as the network wrote it; "
        "control characters are shown by their codes."
    )
    copies = mapping(run.summary.get("longest_copies"))
    if copies:
        words += " The longest copy is the longest passage that stands in the text word for word."
    if len(samples) <= OPEN_SAMPLES + 2:
        return join([tag("p", words, class_="intro"), _sample_list(samples, copies)])
    middle = samples[OPEN_SAMPLES:-1]
    summary = f"{len(middle)} more, after {whole(middle[0].update)} to {whole(middle[-1].update)} updates"
    folded = tag("details", tag("summary", summary), _sample_list(middle, copies))
    lists = [_sample_list(samples[:OPEN_SAMPLES], copies), folded, _sample_list(samples[-1:], copies)]
    return join([tag("p", words, class_="intro"), *lists])


def _sample_list(samples: Sequence[SampleLine], copies: Mapping[str, Any]) -> Html:
    return tag("ol", *(_sample(sample, number(copies, str(sample.update))) for sample in samples), class_="samples")


def _sample(sample: SampleLine, longest_copy: float | None) -> Html:
    when = "Before the first update" if sample.update == 0 else f"After {whole(sample.update)} updates"
    how = "" if sample.temperature is None else f"temperature {sample.temperature:g}"
    if longest_copy is not None:
        how += f"{', ' if how else ''}longest copy {whole(longest_copy)} characters"
    return tag("li", tag("p", tag("b", when), " ", tag("span", how), class_="when"), passage(sample.text))

"""The samples that the network generated during training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra.report.markup import Html, join, missing_note, tag, whole
from recurra.report.page_parts import passage
from recurra.runs.records import SampleLine, mapping, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recurra.runs.records import RunData

OPEN_SAMPLES = 11  # the first samples, shown beside the last one; the reader can unfold the others


def samples_section(run: RunData) -> Html:
    """Return every sample with its update and temperature; those in the middle of a long run are folded."""
    samples = run.samples
    if not samples:
        return missing_note("the run has no samples.")
    words = (
        "The network generated each sample from a zero state. White space is unchanged; control characters are shown "
        "as codes."
    )
    copies = mapping(run.summary.get("longest_copies"))
    if copies:
        words += " The longest copy is the longest passage of a sample that occurs word for word in the text."
    if len(samples) <= OPEN_SAMPLES + 2:
        return join([tag("p", words, class_="intro"), _sample_list(samples, copies)])
    middle = samples[OPEN_SAMPLES:-1]
    summary = f"{len(middle)} more samples, after {whole(middle[0].update)} to {whole(middle[-1].update)} updates"
    folded = tag("details", tag("summary", summary), _sample_list(middle, copies))
    lists = [_sample_list(samples[:OPEN_SAMPLES], copies), folded, _sample_list(samples[-1:], copies)]
    return join([tag("p", words, class_="intro"), *lists])


def _sample_list(samples: Sequence[SampleLine], copies: Mapping[str, Any]) -> Html:
    return tag("ol", *(_sample(sample, number(copies, str(sample.update))) for sample in samples), class_="samples")


def _sample(sample: SampleLine, longest_copy: float | None) -> Html:
    when = "Before the first update" if sample.update == 0 else f"After {whole(sample.update)} updates"
    details = [] if sample.temperature is None else [f"temperature {sample.temperature:g}"]
    if longest_copy is not None:
        details.append(f"longest copy {whole(longest_copy)} characters")
    heading = tag("p", tag("b", when), " ", tag("span", ", ".join(details)), class_="when")
    return tag("li", heading, passage(sample.text))

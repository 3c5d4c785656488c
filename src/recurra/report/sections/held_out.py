"""A page of held-out text, each character shaded by its cost in nats."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from recurra.inference.surprise import SHADE_LIMITS_NATS, shade
from recurra.report.markup import Html, fixed, join, missing_note, tag, visible, whole

if TYPE_CHECKING:
    from recurra.runs.records import RunData


def held_out_section(run: RunData) -> Html:
    """The page, its legend, and what it says."""
    text, nats = _passage(run.summary.get("held_out_passage"))
    if not text:
        return missing_note(
            "Absent: no text was held out, or the run has not ended: there is no page that it had not seen."
        )
    mean = math.fsum(nats) / len(nats)
    words = (
        f"The first {whole(len(text))} characters of the held-out text, read by the best model as they stand, from an "
        "empty memory. The stronger the shade of a character and the thicker the line below, the less it was expected; "
        "a number of nats is shown where the pointer rests. What cost little was foreseen: the ends of words, mostly, "
        "and what cost much is where something new begins. "
        f"The mean of this page is {fixed(mean)} nats, {fixed(mean / math.log(2))} bits per character."
    )
    page = tag("blockquote", *map(_character, text, nats), class_="page", dir="auto", lang="", translate="no")
    return join([tag("p", words, class_="intro"), _legend(nats), page])


def _passage(value: Any) -> tuple[str, list[float]]:
    """The text and its costs; nothing where a file has something else."""
    table = value if isinstance(value, dict) else {}
    text, nats = table.get("text"), table.get("nats")
    if not isinstance(text, str) or not isinstance(nats, list) or len(text) != len(nats):
        return "", []
    good = all(isinstance(cost, (int, float)) and math.isfinite(cost) for cost in nats)
    return (text, nats) if good else ("", [])


def _character(character: str, nats: float) -> Html:
    shown = tag("span", "¶", class_="end") if character == "\n" else visible(character)
    marked = tag("span", shown, class_=f"s{shade(nats)}", title=f"{nats:.2f}")
    return Html(marked + character) if character == "\n" else marked


def _legend(nats: list[float]) -> Html:
    """The shades, their limits, and the share of the page that has each."""
    names = [f"under {SHADE_LIMITS_NATS[0]:g}", *(f"from {limit:g}" for limit in SHADE_LIMITS_NATS)]
    counts = [sum(shade(cost) == level for cost in nats) for level in range(len(names))]
    items = (
        tag("li", tag("span", "abc", class_=f"s{level}"), f" {name} nats: {count / len(nats):.0%}")
        for level, (name, count) in enumerate(zip(names, counts, strict=True))
    )
    return tag("ul", *items, class_="legend")

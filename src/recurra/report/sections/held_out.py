"""The beginning of the held-out text, each character shaded by its loss in nats."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from recurra.inference.surprise import SHADE_LIMITS_NATS, shade
from recurra.report.markup import Html, fixed, join, missing_note, tag, visible, whole
from recurra.runs.records import mapping

if TYPE_CHECKING:
    from recurra.runs.records import RunData


def held_out_section(run: RunData) -> Html:
    """Return the shaded text with an introduction and a legend."""
    text, nats = _passage(run.summary.get("held_out_passage"))
    if not text:
        return missing_note("no text was held out, or the training has not ended.")
    mean = math.fsum(nats) / len(nats)
    words = (
        f"The best model read the first {whole(len(text))} characters of the held-out text, starting from a zero "
        "state. A stronger shade and a thicker line mean a higher loss, −log p: the model gave the character a lower "
        "probability. Point at a character to see its loss in nats. The ends of words usually have a low loss, and the "
        "beginnings of words a high one. "
        f"The mean loss of this text is {fixed(mean)} nats, or {fixed(mean / math.log(2))} bits, per character."
    )
    shaded = tag("blockquote", *map(_character, text, nats), class_="page", dir="auto", lang="", translate="no")
    return join([tag("p", words, class_="intro"), _legend(nats), shaded])


def _passage(value: Any) -> tuple[str, list[float]]:
    """Return the text and the losses in `value`; return both empty if `value` is not valid."""
    table = mapping(value)
    text, nats = table.get("text"), table.get("nats")
    if not isinstance(text, str) or not isinstance(nats, list) or len(text) != len(nats):
        return "", []
    valid = all(isinstance(loss, (int, float)) and math.isfinite(loss) for loss in nats)
    return (text, nats) if valid else ("", [])


def _character(character: str, nats: float) -> Html:
    content = tag("span", "¶", class_="end") if character == "\n" else visible(character)
    marked = tag("span", content, class_=f"s{shade(nats)}", title=f"{nats:.2f}")
    return Html(marked + character) if character == "\n" else marked


def _legend(nats: list[float]) -> Html:
    """Return the shades with their limits, and the share of the characters of each shade."""
    names = [f"under {SHADE_LIMITS_NATS[0]:g}", *(f"from {limit:g}" for limit in SHADE_LIMITS_NATS)]
    counts = [sum(shade(loss) == level for loss in nats) for level in range(len(names))]
    items = (
        tag("li", tag("span", "abc", class_=f"s{level}"), f" {name} nats: {count / len(nats):.0%} of characters")
        for level, (name, count) in enumerate(zip(names, counts, strict=True))
    )
    return tag("ul", *items, class_="legend")

"""Parts of a section: a heading with its content, a figure, a passage that a network wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra.inference.novelty import COPIED
from recurra.report.drawing import STAND_IN, inline, style
from recurra.report.markup import Html, tag, visible
from recurra.runs.records import mapping, number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.figure import Figure

    from recurra.report.drawing import Palette
    from recurra.runs.records import RunData


def section(identifier: str, title: str, *content: Html, level: int) -> Html:
    """A section with its heading, to which the table of contents points."""
    heading = tag(f"h{level}", title, id=identifier)
    return tag("section", heading, *content, aria_labelledby=identifier)


def drawing(
    draw: Callable[[Sequence[RunData], Palette], Figure | None],
    runs: Sequence[RunData],
    salt: str,
    description: str,
    *caption: str,
) -> Html | None:
    """A figure with its caption, or None where there is nothing to draw."""
    with style(STAND_IN, salt):
        figure = draw(runs, STAND_IN)
        if figure is None:
            return None
        picture = inline(figure, salt, description)
    return tag("figure", tag("div", picture, class_="scroll"), tag("figcaption", *caption))


def passage(text: str, copied: Mapping[str, Any] | None = None) -> Html:
    """Text of a network: any language, any direction, escaped, its hidden characters visible; long copies marked."""
    parts, at = [], 0
    for start, stop in _marks(text, copied or {}):
        parts += [visible(text[at:start]), tag("mark", visible(text[start:stop]))]
        at = stop
    return tag("blockquote", *parts, visible(text[at:]), dir="auto", lang="", translate="no")


def _marks(text: str, copied: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Where copies of `COPIED` characters or more begin and end, in order; of two that overlap the later goes on."""
    found: list[tuple[int, int]] = []
    spans = ((row["start"], row["start"] + len(row["text"])) for row in copied_rows(copied) if _stands_in(text, row))
    for start, stop in sorted(span for span in spans if span[1] - span[0] >= COPIED):
        start = max(start, found[-1][1] if found else 0)
        if start < stop:
            found.append((start, stop))
    return found


def _stands_in(text: str, row: Mapping[str, Any]) -> bool:
    start = number(row, "start")
    return start is not None and start >= 0 and text.startswith(row["text"], int(start))


def copied_rows(copied: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rows of a table of copies that are what they should be."""
    listed = copied.get("passages")
    rows = [mapping(row) for row in listed] if isinstance(listed, list) else []
    return [row for row in rows if isinstance(row.get("text"), str) and isinstance(row.get("start"), int)]

"""Parts of a section: a heading with content, a figure, a text that a network generated."""

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
    """Return a section; the table of contents links to its heading."""
    heading = tag(f"h{level}", title, id=identifier)
    return tag("section", heading, *content, aria_labelledby=identifier)


def drawing(
    draw: Callable[[Sequence[RunData], Palette], Figure | None],
    runs: Sequence[RunData],
    salt: str,
    description: str,
    *caption: str,
) -> Html | None:
    """Return a figure with its caption, or None if there is nothing to draw."""
    with style(STAND_IN, salt):
        figure = draw(runs, STAND_IN)
        if figure is None:
            return None
        picture = inline(figure, salt, description)
    return tag("figure", tag("div", picture, class_="scroll"), tag("figcaption", *caption))


def passage(text: str, copied: Mapping[str, Any] | None = None) -> Html:
    """Return a text of a network in any language and direction, escaped, with long copied passages marked."""
    parts, end = [], 0
    for start, stop in _marks(text, copied or {}):
        parts += [visible(text[end:start]), tag("mark", visible(text[start:stop]))]
        end = stop
    return tag("blockquote", *parts, visible(text[end:]), dir="auto", lang="", translate="no")


def _marks(text: str, copied: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Return the start and the end of each copied passage of at least `COPIED` characters, in order.

    If two passages overlap, the second one begins at the end of the first.
    """
    marks: list[tuple[int, int]] = []
    spans = ((row["start"], row["start"] + len(row["text"])) for row in copied_rows(copied) if _is_in(text, row))
    for start, stop in sorted(span for span in spans if span[1] - span[0] >= COPIED):
        start = max(start, marks[-1][1] if marks else 0)
        if start < stop:
            marks.append((start, stop))
    return marks


def _is_in(text: str, row: Mapping[str, Any]) -> bool:
    start = number(row, "start")
    return start is not None and start >= 0 and text.startswith(row["text"], int(start))


def copied_rows(copied: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the valid rows of a table of copied passages."""
    passages = copied.get("passages")
    rows = [mapping(row) for row in passages] if isinstance(passages, list) else []
    return [row for row in rows if isinstance(row.get("text"), str) and isinstance(row.get("start"), int)]

"""HTML in which plain strings are escaped and only `Html` passes: no text of a network becomes markup.

Control characters, and format characters that could turn text around, are shown by their codes (see `sanitize`).
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from recurra import formatting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

VOID = frozenset({"br", "meta", "hr"})


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def escape(text: str) -> Html:
    """Plain text as HTML, safe between tags and inside quoted attributes."""
    return text if isinstance(text, Html) else Html(html.escape(formatting.sanitize(text), quote=True))


def tag(name: str, *children: str, **attributes: str) -> Html:
    """An element. Children that are no `Html` are escaped; `class_` is class, `aria_label` aria-label."""
    pairs = (f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    opening = f"<{name}{''.join(pairs)}>"
    return Html(opening if name in VOID else f"{opening}{join(children)}</{name}>")


def join(parts: Iterable[str], separator: str = "") -> Html:
    """The parts one after another, each escaped unless it is `Html`."""
    return Html(separator.join(escape(part) for part in parts))


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]], *, kind: str = "") -> Html:
    """A table whose first column names the row. It scrolls in itself where the screen is narrower."""
    head = tag("tr", *(tag("th", cell, scope="col") for cell in header))
    body = join((_row(row) for row in rows), "\n")
    heading = (tag("thead", head),) if any(header) else ()
    grid = tag("table", tag("caption", caption), *heading, tag("tbody", body))
    return tag("div", grid, class_=f"table {kind}".strip(), role="region", aria_label=caption, tabindex="0")


def missing_note(sentence: str) -> Html:
    """What is told where a part of the data is missing."""
    return tag("p", sentence, class_="absent")


def _row(cells: Sequence[str]) -> Html:
    first, *others = cells
    return tag("tr", tag("th", first, scope="row"), *(tag("td", cell) for cell in others))


def visible(text: str) -> Html:
    """Model output: white space as it is, every unsafe character as a sign, everything escaped."""
    return Html("".join(_visible(character) for character in text))


def _visible(character: str) -> str:
    if not formatting.is_unsafe(character):
        return html.escape(character, quote=True)
    return f'<span class="control" title="U+{ord(character):04X}">{formatting.escape(character)}</span>'


def whole(value: float | None) -> str:
    """A count with thousands separated; a dash for none."""
    return "\u2013" if value is None else f"{int(value):,}"


def fixed(value: float | None, digits: int = 3) -> str:
    """A number with so many decimals; a dash for none."""
    return "\u2013" if value is None else f"{value:,.{digits}f}".replace("-", "\u2212")


def power(value: float | None, digits: int = 1) -> Html:
    """A small number as 3.1 × 10⁻⁸; a dash for none."""
    if value is None:
        return Html("\u2013")
    if value == 0:
        return Html("0")
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    sign = "\u2212" if int(exponent) < 0 else ""
    shown = mantissa.replace("-", "\u2212")
    return Html(f"{shown}\u00a0×\u00a010<sup>{sign}{abs(int(exponent))}</sup>")


def duration(seconds: float | None) -> str:
    """Seconds as a person says them; a dash for none."""
    return "\u2013" if seconds is None else formatting.duration(seconds)

"""Build HTML: plain strings are escaped and only `Html` is not, so that no text of a network becomes markup.

Control characters, and format characters that could reverse the direction of text, appear as codes (see `sanitize`).
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from recurra import formatting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

VOID = frozenset({"br", "meta", "hr"})


class Html(str):
    """Text that is already markup."""

    __slots__ = ()


def escape(text: str) -> Html:
    """Return plain text as HTML that is safe between tags and in quoted attributes."""
    return text if isinstance(text, Html) else Html(html.escape(formatting.sanitize(text), quote=True))


def tag(name: str, *children: str, **attributes: str) -> Html:
    """Return an element. Escape the children that are not `Html`; `class_` is class, `aria_label` aria-label."""
    pairs = (f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    opening = f"<{name}{''.join(pairs)}>"
    return Html(opening if name in VOID else f"{opening}{join(children)}</{name}>")


def join(parts: Iterable[str], separator: str = "") -> Html:
    """Join the parts, and escape those that are not `Html`."""
    return Html(separator.join(escape(part) for part in parts))


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]], *, kind: str = "") -> Html:
    """Return a table whose first column names the row. On a narrow screen it scrolls horizontally."""
    head = tag("tr", *(tag("th", cell, scope="col") for cell in header))
    body = join((_row(row) for row in rows), "\n")
    heading = (tag("thead", head),) if any(header) else ()
    grid = tag("table", tag("caption", caption), *heading, tag("tbody", body))
    return tag("div", grid, class_=f"table {kind}".strip(), role="region", aria_label=caption, tabindex="0")


def missing_note(reason: str) -> Html:
    """Return a paragraph in place of content that is not available, with the reason."""
    return tag("p", f"Not available: {reason}", class_="absent")


def _row(cells: Sequence[str]) -> Html:
    first, *others = cells
    return tag("tr", tag("th", first, scope="row"), *(tag("td", cell) for cell in others))


def visible(text: str) -> Html:
    """Return the text of a model as HTML: white space unchanged, every unsafe character as its code."""
    return Html("".join(_visible(character) for character in text))


def _visible(character: str) -> str:
    if not formatting.is_unsafe(character):
        return html.escape(character, quote=True)
    return f'<span class="control" title="U+{ord(character):04X}">{formatting.escape(character)}</span>'


def whole(value: float | None) -> str:
    """Return a count with thousands separators; a dash for None."""
    return "\u2013" if value is None else f"{int(value):,}"


def fixed(value: float | None, digits: int = 3) -> str:
    """Return a number with `digits` decimals; a dash for None."""
    return "\u2013" if value is None else f"{value:,.{digits}f}".replace("-", "\u2212")


def power(value: float | None, digits: int = 1) -> Html:
    """Return a small number as 3.1 × 10⁻⁸; a dash for None."""
    if value is None:
        return Html("\u2013")
    if value == 0:
        return Html("0")
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    sign = "\u2212" if int(exponent) < 0 else ""
    mantissa = mantissa.replace("-", "\u2212")
    return Html(f"{mantissa}\u00a0×\u00a010<sup>{sign}{abs(int(exponent))}</sup>")


def duration(seconds: float | None) -> str:
    """Return seconds with units, as 2 h 1 min; a dash for None."""
    return "\u2013" if seconds is None else formatting.duration(seconds)

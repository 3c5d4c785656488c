"""A text on a terminal, each character marked by its surprise: by a color, or by a figure below it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rich.cells import cell_len

from recurra.formatting import sanitize
from recurra.inference.surprise import SHADE_LIMITS_NATS, Surprise, characters, shade

SHADES = ("", "48;5;230;38;5;16", "48;5;222;38;5;16", "48;5;215;38;5;16", "48;5;202;38;5;16", "48;5;124;38;5;231;1")
VISIBLE_SIGNS = {"\n": "¶", "\t": "\\t"}  # characters that would move the cursor
LEGEND_OF_FIGURES = "The figure below a character is its surprise in nats, rounded; blank: below 0.5, 9: 9 or more."


class Glyph(NamedTuple):
    """A character, escaped for a terminal, and its surprise in nats."""

    text: str
    nats: float
    ends_line: bool


def glyphs(surprises: Iterable[Surprise], *, is_bytes: bool) -> Iterator[Glyph]:
    """Yield the characters of the chunks."""
    for character, nats in characters(((chunk.symbols, chunk.nats) for chunk in surprises), is_bytes=is_bytes):
        yield Glyph(VISIBLE_SIGNS.get(character) or sanitize(character), nats, character == "\n")


def lines(glyphs: Iterable[Glyph], width: int, *, colors: bool) -> Iterator[str]:
    """Yield lines of at most `width` columns; without `colors`, a line of figures follows each line."""
    line: list[Glyph] = []
    used = 0
    for glyph in glyphs:
        size = cell_len(glyph.text)
        if line and used + size > width:
            yield from _drawn(line, colors=colors)
            line, used = [], 0
        line.append(glyph)
        used += size
        if glyph.ends_line:
            yield from _drawn(line, colors=colors)
            line, used = [], 0
    if line:
        yield from _drawn(line, colors=colors)


def legend(*, colors: bool) -> str:
    """Return the legend of the marks."""
    if not colors:
        return LEGEND_OF_FIGURES
    names = [f"under {SHADE_LIMITS_NATS[0]:g}", *(f"{limit:g} or more" for limit in SHADE_LIMITS_NATS)]
    return "surprise in nats: " + "  ".join(_shaded(f" {name} ", level) for level, name in enumerate(names))


def _drawn(line: list[Glyph], *, colors: bool) -> Iterator[str]:
    if colors:
        yield "".join(_shaded(glyph.text, shade(glyph.nats)) for glyph in line)
        return
    yield "".join(glyph.text for glyph in line)
    yield "".join(_figure(glyph.nats).ljust(cell_len(glyph.text)) for glyph in line if cell_len(glyph.text)).rstrip()


def _figure(nats: float) -> str:
    return " " if nats < SHADE_LIMITS_NATS[0] else str(min(math.floor(nats + 0.5), 9))


def _shaded(text: str, level: int) -> str:
    return f"\x1b[{SHADES[level]}m{text}\x1b[0m" if level else text

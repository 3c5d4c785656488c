"""Tables of text: a list of lines, each a list of cells; the first line has the headings."""

from __future__ import annotations

from collections.abc import Sequence

Table = Sequence[Sequence[str]]


def aligned(table: Table) -> str:
    """Return the table in columns: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for first, *others in table:
        cells = [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([f"{first:{widths[0]}}", *cells]).rstrip())
    return "\n".join(lines)


def markdown(table: Table) -> str:
    """Return the table in Markdown."""
    head, *others = table
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *others))

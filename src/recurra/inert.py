"""Text that is shown and not obeyed: what could move a cursor, hide or turn text around becomes its escape."""

from __future__ import annotations

import unicodedata

# Controls, formats (right-to-left overrides, zero widths), surrogates, private use, unassigned, separators.
HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Newline and tab are layout; the joiners are spelling in Persian and Hindi. None of them can hide a text.
KEPT = frozenset("\n\t\u200c\u200d")


def is_hidden(character: str) -> bool:
    """Whether a reader would not see `character`, but a terminal or a page might act on it."""
    return character not in KEPT and unicodedata.category(character) in HIDDEN_CATEGORIES


def escape(character: str) -> str:
    """`character` as Python writes it: signs such as U+2407 are in too few fonts."""
    return character.encode("unicode_escape").decode("ascii")


def inert(text: str) -> str:
    """`text` with every hidden character as its escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(escape(character) if is_hidden(character) else character for character in text)

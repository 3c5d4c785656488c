"""Text that is shown and not obeyed: a character that a terminal or a page would act on becomes its escape.

Escaped are control characters, surrogates, line and paragraph separators, bidirectional embeddings, overrides and
isolates (which turn the text after them around), deprecated format characters, and annotation marks (which hide text).
All else stays as it is: marks that shape or separate letters (zero-width joiners, direction marks, soft hyphens),
private use, and characters that are newer than Python's table of Unicode.
"""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f"  # C0 and C1, but for the layout of newline and tab
    "\\u2028\\u2029"  # separators of lines and paragraphs
    "\\u202a-\\u202e\\u2066-\\u2069"  # embeddings, overrides and isolates
    "\\u206a-\\u206f\\U000e0001"  # deprecated formats and the language tag
    "\\ufff9-\\ufffb"  # annotations
    "\\ud800-\\udfff]"  # surrogates
)
_ONE_LINE = {"\n": "\\n", "\t": "\\t"}


def is_unsafe(character: str) -> bool:
    """Return True if a terminal or a page might act on `character`."""
    return _UNSAFE.match(character) is not None


def escape(character: str) -> str:
    """`character` as Python writes it: signs such as U+2407 are in too few fonts."""
    return character.encode("unicode_escape").decode("ascii")


def inert(text: str) -> str:
    """`text` with every unsafe character as its escape."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(lambda found: escape(found[0]), text)


def one_line(text: str) -> str:
    """`text` with newlines and tabs as escapes, too."""
    return "".join(_ONE_LINE.get(character, character) for character in inert(text))


def quoted(text: str) -> str:
    """`text` in quotes and in one line, for a message; a backslash stays a single one."""
    quote = '"' if "'" in text and '"' not in text else "'"
    return f"{quote}{one_line(text)}{quote}"

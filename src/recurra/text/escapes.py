r"""Decode the escapes in a string that a user typed: \n, \t, \r, \\, \uXXXX and \UXXXXXXXX."""

from __future__ import annotations

import re

from recurra.errors import UsageError
from recurra.formatting import quote_text
from recurra.text.vocabulary import CODE_POINTS

EXPECTED_ESCAPES = r"\n, \t, \r, \\, \u and 4 or \U and 8 hexadecimal digits"
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:([ntr\\])|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|)")
_LIKELY = re.compile(r"\\(?:[ntr]|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})")


def unescape(text: str, name: str) -> str:
    """Replace each escape in `text` by its character.

    Raises UsageError for an unknown escape; the message names the option `name`.
    """

    def character(match: re.Match[str]) -> str:
        simple, short, long = match.groups()
        point = int(short or long or "110000", 16)
        if simple is None and (point >= CODE_POINTS or 0xD800 <= point <= 0xDFFF):
            wrong = text[match.start() : match.start() + max(2, len(match[0]))]
            raise UsageError(
                f"{name} contains {quote_text(wrong)}, which is not an escape; expected {EXPECTED_ESCAPES}.",
                hint=r"write `\\` for a backslash, or leave out `--escapes`.",
            )
        return _SIMPLE[simple] if simple else chr(point)

    return _ESCAPE.sub(character, text)


def first_escape(text: str) -> str | None:
    r"""Return the first undecoded escape in `text`, such as a backslash and n; None if there is none."""
    match = _LIKELY.search(text)
    return None if match is None else match[0]

"""Numbers, durations and losses as text, and text with its control characters escaped."""

from __future__ import annotations

import math
import re

_UNSAFE = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f"  # C0 and C1, except newline and tab
    "\\u2028\\u2029"  # separators of lines and paragraphs
    "\\u202a-\\u202e\\u2066-\\u2069"  # embeddings, overrides and isolates
    "\\u206a-\\u206f\\U000e0001"  # deprecated formats and the language tag
    "\\ufff9-\\ufffb"  # annotations
    "\\ud800-\\udfff]"  # surrogates
)
_ONE_LINE = {"\n": "\\n", "\t": "\\t"}


def is_unsafe(character: str) -> bool:
    """Return True if a terminal or a browser might interpret `character` instead of displaying it."""
    return _UNSAFE.match(character) is not None


def escape(character: str) -> str:
    """Return the escape of `character` in a Python literal; many fonts lack control pictures such as U+2407."""
    return character.encode("unicode_escape").decode("ascii")


def sanitize(text: str) -> str:
    """Return `text` with every unsafe character replaced by its escape."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(lambda match: escape(match[0]), text)


def one_line(text: str) -> str:
    """Return `text` with unsafe characters, newlines and tabs replaced by their escapes."""
    return "".join(_ONE_LINE.get(character, character) for character in sanitize(text))


def quote_text(text: str) -> str:
    """Return `text` in quotes, on one line, for a message; backslashes are not doubled."""
    quote = '"' if "'" in text and '"' not in text else "'"
    return f"{quote}{one_line(text)}{quote}"


def describe_loss(loss: float, span: float = 1, unit: str = "character") -> str:
    """Return a loss for a message, in nats and in bits per character.

    `loss` is a sum in nats over `span` characters, or over another `unit`, such as bytes.
    """
    bits = loss / span / math.log(2)
    if span == 1:
        return f"{loss:.3f} nats/{unit} ({bits:.3f} bits)"
    return f"{loss:.2f} nats per {span:g} {unit}s ({bits:.3f} bits/{unit})"


def duration(seconds: float) -> str:
    """Return a duration in seconds, minutes or hours, with at most two units."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    (first, unit), (second, subunit) = ((hours, "h"), (minutes, "min")) if hours else ((minutes, "min"), (rest, "s"))
    return f"{first} {unit} {second} {subunit}" if second else f"{first} {unit}"


def rate(per_second: float, nouns: str) -> str:
    """Return a rate, such as "0.4 updates/s" or "20,000 updates/s"."""
    return f"{per_second:,.{0 if per_second >= 10 else 1}f} {nouns}/s"


def describe_share(part: int, whole: int) -> str:
    """Return a share, such as "1,000 of 200,000 elements (0.5 %)"."""
    return f"{part:,} of {whole:,} elements ({100 * part / whole:.2g} %)"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun, such as "1 update" or "2,000 updates"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")

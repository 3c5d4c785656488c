"""Figures as a person reads them."""

from __future__ import annotations

import math


def loss_words(loss: float, span: float = 1, unit: str = "character") -> str:
    """A loss in nats, a sum over `span` characters (or bytes), as it is and in bits a character."""
    bits = loss / span / math.log(2)
    nats = f"{loss:.3f} nats" if span == 1 else f"{loss:.2f} nats per {span:g} {unit}s"
    return f"{nats}, {bits:.3f} bits a {unit}"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, as exactly as anyone wants to know."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    (many, large), (few, small) = ((hours, "h"), (minutes, "min")) if hours else ((minutes, "min"), (rest, "s"))
    return f"{many} {large} {few} {small}" if few else f"{many} {large}"


def rate(per_second: float, nouns: str) -> str:
    """Return 0.4 updates/s, 20,000 updates/s."""
    return f"{per_second:,.{0 if per_second >= 10 else 1}f} {nouns}/s"


def share_words(part: int, whole: int) -> str:
    """1,000 of 200,000 elements (0.5 %)."""
    return f"{part:,} of {whole:,} elements ({100 * part / whole:.2g} %)"


def plural(count: int, noun: str) -> str:
    """1 update, 2,000 updates."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")

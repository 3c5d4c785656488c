"""Write tunes in ABC notation for the gallery: python docs/gallery_tunes.py > tunes.txt

Each tune is a reel (4/4) or a jig (6/8) of two parts of four bars. A melody walks along the scale of its key; bars
return inside a part, and every bar has eight or six eighth notes. The same numbers come on every machine.
"""

from __future__ import annotations

import random
import sys

TUNES = 1500
METERS = {"R": ("4/4", 8), "J": ("6/8", 6)}
KEYS = {"G": "GABcdefga", "D": "DEFGABcde", "A": "ABcdefgab", "Em": "EFGABcdef"}
FIRST = ("The Merry", "The Old", "The Silver", "The Lost", "The Miller's", "The Winter", "The Green", "The Dancing")
SECOND = ("Fiddle", "Harbour", "Heron", "Lantern", "Meadow", "Piper", "River", "Shepherd", "Stone", "Wedding")


def tune(number: int, numbers: random.Random) -> str:
    """Return one tune, without an empty line."""
    rhythm = numbers.choice(sorted(METERS))
    meter, length = METERS[rhythm]
    key = numbers.choice(sorted(KEYS))
    title = f"{numbers.choice(FIRST)} {numbers.choice(SECOND)}"
    parts = []
    for _ in range(2):
        first, second, last = (bar(KEYS[key], length, numbers) for _ in range(3))
        parts.append(f"|:{first}|{second}|{first}|{last}:|")
    return f"X:{number}\nT:{title}\nR:{rhythm}\nM:{meter}\nL:1/8\nK:{key}\n" + "\n".join(parts)


def bar(scale: str, length: int, numbers: random.Random) -> str:
    """Return a bar whose notes last `length` eighths: a walk along the scale in groups of half a bar."""
    place, notes = numbers.randrange(len(scale)), []
    for half in range(2):
        left = length // 2
        while left:
            duration = numbers.choice([one for one in (1, 1, 1, 2, 3) if one <= left])
            notes.append(scale[place] + ("" if duration == 1 else str(duration)))
            left -= duration
            place = min(max(place + numbers.choice((-2, -1, -1, 1, 1, 2)), 0), len(scale) - 1)
        notes.append(" " if half == 0 else "")
    return "".join(notes)


def main() -> None:
    """Write all tunes, with an empty line after each."""
    numbers = random.Random(1)  # noqa: S311 - music, no secret
    for number in range(1, TUNES + 1):
        sys.stdout.write(tune(number, numbers) + "\n\n")


if __name__ == "__main__":
    main()

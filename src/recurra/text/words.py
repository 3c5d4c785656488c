"""Words: runs of letters, marks, digits and underscores, with apostrophes and middle dots between two letters.

Combining marks and format characters belong to the word (Unicode Standard Annex 29, rules WB4 to WB7). Characters of
scripts without spaces between words (Han, Kana, Thai, Khmer and others) belong to no word. `web/static/unicode.js` has
the same rules for the page.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import re
import sys
import unicodedata

UNSPACED = (  # blocks of code points, first and last
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19FF),  # Tai Le, New Tai Lue, Khmer symbols
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x1B00, 0x1B7F),  # Balinese
    (0x2E80, 0x312F),  # radicals, Kana, Bopomofo
    (0x3190, 0x31FF),  # Kanbun, Bopomofo, Kana
    (0x3400, 0x9FFF),  # Han
    (0xA000, 0xA4CF),  # Yi
    (0xA980, 0xA9FF),  # Javanese, Myanmar
    (0xAA60, 0xAADF),  # Myanmar, Tai Viet
    (0xF900, 0xFAFF),  # Han
    (0xFF66, 0xFF9F),  # Kana of half width
    (0x11700, 0x1174F),  # Ahom
    (0x16FE0, 0x18DFF),  # Tangut, Khitan
    (0x1AFF0, 0x1B2FF),  # Kana, Nushu
    (0x20000, 0x3FFFF),  # Han
)
ZERO_WIDTH_SPACE = 0x200B  # a format character that separates words
_JOINING = "'\u2019\u00b7"


@functools.cache
def pattern() -> re.Pattern[str]:
    """Return the regular expression that matches one word."""
    # The other code points are Han characters, or neither letters nor marks.
    candidates = itertools.chain(range(0x20000), range(0xE0000, 0xE0200))
    points = [point for point in candidates if not is_unspaced(point) and point != ZERO_WIDTH_SPACE]
    categories = {point: unicodedata.category(chr(point)) for point in points}
    letters = [point for point, category in categories.items() if category[0] in "LN" or category == "Pc"]
    marks = [point for point, category in categories.items() if category[0] == "M" or category == "Cf"]
    first, inside = _ranges(letters), _ranges(sorted(letters + marks))
    return re.compile(f"[{first}][{inside}]*(?:[{_JOINING}][{first}][{inside}]*)*")


def is_unspaced(point: int) -> bool:
    """Return True if the code point belongs to a script without spaces between words."""
    index = bisect.bisect_right(UNSPACED, (point, sys.maxunicode)) - 1
    return index >= 0 and point <= UNSPACED[index][1]


def is_mark(character: str) -> bool:
    """Return True if `character` is a combining mark, which belongs to the character before it."""
    return unicodedata.category(character)[0] == "M"


def word_characters(text: str, kept: str, other: str) -> str:
    """Replace each character by `other`, except letters, marks, digits, underscores and the characters of `kept`."""
    return "".join(char if char.isalnum() or char in f"_{kept}" or is_mark(char) else other for char in text)


def has_words(text: str) -> bool:
    """Return True unless most letters of `text` belong to scripts without spaces between words."""
    letters = [character for character in text if character.isalpha()]
    return 2 * sum(is_unspaced(ord(character)) for character in letters) <= len(letters)


def _ranges(points: list[int]) -> str:
    """Return ascending code points as the ranges of a character class in a regular expression."""
    pairs = enumerate(points)
    runs = [[point for _, point in run] for _, run in itertools.groupby(pairs, key=lambda pair: pair[1] - pair[0])]
    return "".join(f"\\U{run[0]:08x}-\\U{run[-1]:08x}" for run in runs)

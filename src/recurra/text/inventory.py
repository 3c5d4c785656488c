"""Count the files that were read from folders: their number by kind, and the share of each kind in the text."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from recurra.formatting import plural
from recurra.text.sources import printable_path

_LISTED_KINDS = 8  # the note sums up the other kinds
_LONGEST_KIND = 16  # characters; a longer suffix counts as no suffix
NO_SUFFIX = "no suffix"


class Inventory:
    """The number of files and of characters by the suffix of the file name."""

    def __init__(self) -> None:
        self._files: Counter[str] = Counter()
        self._characters: Counter[str] = Counter()

    def add(self, path: Path, characters: int) -> None:
        """Count a file with this number of `characters`."""
        suffix = path.suffix.lower()
        kind = printable_path(suffix) if 0 < len(suffix) <= _LONGEST_KIND else NO_SUFFIX
        self._files[kind] += 1
        self._characters[kind] += characters

    def notes(self, unit: str) -> tuple[str, ...]:
        """Return one note on the counted files, the kinds with the most characters first; no note without files."""
        if not self._files:
            return ()
        total = self._characters.total()
        kinds = sorted(self._files, key=lambda kind: (-self._characters[kind], kind))
        listed = [f"{kind} {self._amount([kind], total)}" for kind in kinds[:_LISTED_KINDS]]
        if rest := kinds[_LISTED_KINDS:]:
            listed.append(f"{plural(len(rest), 'other kind')} {self._amount(rest, total)}")
        size = f"{plural(self._files.total(), 'file')}, {plural(total, unit)}"
        return (f"taken from folders: {size}: {', '.join(listed)}",)

    def _amount(self, kinds: list[str], total: int) -> str:
        files = sum(self._files[kind] for kind in kinds)
        share = sum(self._characters[kind] for kind in kinds) / (total or 1)
        return f"{files:,} ({100 * share:.1f} %)"

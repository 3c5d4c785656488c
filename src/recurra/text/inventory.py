"""Count the files that folders gave: the number of each kind, and its share of the text."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from recurra.formatting import plural
from recurra.text.sources import shown

_KINDS = 8  # that are listed; the others are summed up
_LONGEST_KIND = 16  # characters of a suffix; a longer one is no kind of file
NO_SUFFIX = "no suffix"


class Inventory:
    """The number of files and of characters by the suffix of the file name."""

    def __init__(self) -> None:
        self._files: Counter[str] = Counter()
        self._characters: Counter[str] = Counter()

    def add(self, path: Path, characters: int) -> None:
        """Count a file of so many characters."""
        suffix = path.suffix.lower()
        kind = shown(suffix) if 0 < len(suffix) <= _LONGEST_KIND else NO_SUFFIX
        self._files[kind] += 1
        self._characters[kind] += characters

    def notes(self, unit: str) -> tuple[str, ...]:
        """Return one note on the files taken, the kinds with the most characters first; none without files."""
        if not self._files:
            return ()
        total = self._characters.total()
        kinds = sorted(self._files, key=lambda kind: (-self._characters[kind], kind))
        listed = [f"{kind} {self._amount([kind], total)}" for kind in kinds[:_KINDS]]
        if rest := kinds[_KINDS:]:
            listed.append(f"{plural(len(rest), 'other kind')} {self._amount(rest, total)}")
        size = f"{plural(self._files.total(), 'file')}, {plural(total, unit)}"
        return (f"taken from folders: {size}: {', '.join(listed)}",)

    def _amount(self, kinds: list[str], total: int) -> str:
        files = sum(self._files[kind] for kind in kinds)
        share = sum(self._characters[kind] for kind in kinds) / (total or 1)
        return f"{files:,} ({100 * share:.1f} %)"

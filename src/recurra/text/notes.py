"""Notes for the user on how a text was read: events, counted by kind, and files, counted by suffix."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from recurra.formatting import plural
from recurra.text.sources import printable_path

_LISTED_NAMES = 3
_LISTED_KINDS = 8  # the note sums up the other kinds
_LONGEST_KIND = 16  # characters; a longer suffix counts as no suffix
NO_SUFFIX = "no suffix"


class Journal:
    """The events during the reading of texts, counted by kind and by source."""

    def __init__(self) -> None:
        self._events: dict[str, Counter[str]] = {}

    def add(self, kind: str, name: str = "", count: int = 1) -> None:
        """Count an event in the source `name`; `kind` is the template of the note, with {count} and {names}."""
        self._events.setdefault(kind, Counter())[name] += count

    def note_once(self, note: str) -> None:
        """Add the text of a note, which appears once even if it is added several times."""
        self.add(note.replace("{", "{{").replace("}", "}}"))

    def merge(self, other: Journal) -> None:
        """Add all events of another journal."""
        for kind, names in other._events.items():
            self._events.setdefault(kind, Counter()).update(names)

    def notes(self) -> tuple[str, ...]:
        """Return one note for each kind of event, in the order of their first events."""
        return tuple(
            kind.format(count=f"{names.total():,}", names=_listed(list(names))) for kind, names in self._events.items()
        )


def _listed(names: list[str]) -> str:
    rest = len(names) - _LISTED_NAMES
    return ", ".join(names[:_LISTED_NAMES]) + (f" and {rest:,} more" if rest > 0 else "")


class Inventory:
    """The files that were read from folders: their number and their characters, by the suffix of the file name."""

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
        """Return one note that lists the kinds of files, those with most characters first; no note without files."""
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

"""Notes for the user on events during the reading of a text, one for each kind of event."""

from __future__ import annotations

_LISTED_NAMES = 3


class Journal:
    """The events during the reading of texts, counted by kind and by source."""

    def __init__(self) -> None:
        self._events: dict[str, dict[str, int]] = {}

    def add(self, kind: str, name: str = "", count: int = 1) -> None:
        """Count an event in the source `name`; `kind` is the template of the note, with {count} and {names}."""
        names = self._events.setdefault(kind, {})
        names[name] = names.get(name, 0) + count

    def note_once(self, note: str) -> None:
        """Add the text of a note, which appears once even if it is added several times."""
        self.add(note.replace("{", "{{").replace("}", "}}"))

    def merge(self, other: Journal) -> None:
        """Add all events of another journal."""
        for kind, names in other._events.items():
            for name, count in names.items():
                self.add(kind, name, count)

    def notes(self) -> tuple[str, ...]:
        """Return one note for each kind of event, in the order of their first events."""
        return tuple(
            kind.format(count=f"{sum(names.values()):,}", names=_listed(list(names)))
            for kind, names in self._events.items()
        )


def _listed(names: list[str]) -> str:
    rest = len(names) - _LISTED_NAMES
    return ", ".join(names[:_LISTED_NAMES]) + (f" and {rest:,} more" if rest > 0 else "")

"""Notes to the user on how a text was read, one for each kind of event."""

from __future__ import annotations

_SHOWN = 3


class Journal:
    """What happened while texts were read: kinds of event, and for each how often and in what."""

    def __init__(self) -> None:
        self._events: dict[str, dict[str, int]] = {}

    def add(self, kind: str, name: str = "", count: int = 1) -> None:
        """One more event; `kind` is the note to be, with {count} and {names} where those belong."""
        names = self._events.setdefault(kind, {})
        names[name] = names.get(name, 0) + count

    def note_once(self, note: str) -> None:
        """A note as it stands, once however often it is said."""
        self.add(note.replace("{", "{{").replace("}", "}}"))

    def merge(self, other: Journal) -> None:
        """Add all events of another journal."""
        for kind, names in other._events.items():
            for name, count in names.items():
                self.add(kind, name, count)

    def notes(self) -> tuple[str, ...]:
        """One note for each kind of event, in the order in which the kinds first happened."""
        return tuple(
            kind.format(count=f"{sum(names.values()):,}", names=_listed(list(names)))
            for kind, names in self._events.items()
        )


def _listed(names: list[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")

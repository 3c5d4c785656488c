"""Notes on the reading of a text."""

from __future__ import annotations

from recurra.text.notes import Journal


def test_journal_counts_events_and_lists_names() -> None:
    journal = Journal()
    journal.note_once("as it stands: {count} {names} {}")
    for name in "abcde":
        journal.add("{count} events in {names}", name, 1000)
    journal.add("{count} events in {names}", "a", 1)
    journal.note_once("as it stands: {count} {names} {}")
    assert journal.notes() == ("as it stands: {count} {names} {}", "5,001 events in a, b, c and 2 more")

"""Settings, text and machine: everything that is needed to repeat the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra.config import TIMES
from recurra.report.markup import Html, duration, join, missing_note, table, tag, visible, whole
from recurra.runs.records import number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recurra.runs.records import RunData

DEEPEST = 4  # lists and tables in one another that are shown


def settings_section(run: RunData) -> Html:
    """Everything that is needed to run it again, in small tables."""
    names = ("model", "training", "text", "engine", "versions", "machine")
    tables = [_pairs(name.capitalize(), run.table(name)) for name in names if run.table(name)]
    measured = {**run.timings, **run.summary}
    memory = number(measured, "peak_memory_bytes")
    costs = {
        "wall time": duration(number(measured, "seconds")),
        "updates a second": whole(number(measured, "updates_per_second")),
        "characters a second": whole(number(measured, "characters_per_second")),
        "peak memory": "\u2013" if memory is None else f"{memory / 2**20:,.0f} MiB",
    }
    told = {name: value for name, value in costs.items() if value != "\u2013"}
    if told:
        tables.append(_pairs("Time and memory", told))
    return (
        tag("div", *tables, class_="columns") if tables else missing_note("Absent: run.toml, which holds the settings.")
    )


def _pairs(title: str, values: Mapping[str, Any]) -> Html:
    return table(
        title, [], ([name.replace("_", " "), _setting(name, value)] for name, value in values.items()), kind="pairs"
    )


def _setting(name: str, value: object) -> Html:
    """Show a setting; one that is a time with its unit."""
    is_time = name in TIMES and isinstance(value, (int, float)) and not isinstance(value, bool)
    return visible(duration(number({name: value}, name))) if is_time else _plain(value)


def _plain(value: object, depth: int = 0) -> Html:
    if isinstance(value, bool):
        return Html("yes" if value else "no")
    if isinstance(value, (list, dict)) and depth == DEEPEST:
        return Html("…")
    if isinstance(value, list):
        return join((_plain(item, depth + 1) for item in value), "; ") or Html("none")
    if isinstance(value, dict):
        return join((join([f"{name} ", _plain(item, depth + 1)]) for name, item in value.items()), "; ")
    if isinstance(value, int):
        return visible(f"{value:,}")
    return visible(f"{value:g}" if isinstance(value, float) else str(value))

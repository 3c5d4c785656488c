"""The settings, the text and the machine: everything needed to repeat the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra.config.keywords import SETTINGS, TIMES
from recurra.report.markup import Html, duration, join, missing_note, table, tag, visible, whole
from recurra.runs.records import number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recurra.runs.records import RunData

MAX_DEPTH = 4  # of nested lists and tables
# Settings whose value 0 has a meaning other than zero.
ZERO = {
    **dict.fromkeys(("max_epochs", "patience"), "no limit"),
    **dict.fromkeys(("plateau", "sample_every", "ema", "dropout", "warm_up", "validation", "test"), "off"),
    "evaluate_every": "each epoch",
    "schedule_updates": "all updates",
    "shards": "chosen by batch size",
    "threads": "one per CPU",
}


def settings_section(run: RunData) -> Html:
    """Return the settings, the text, the versions, the machine and the costs of a run in small tables."""
    names = ("model", "training", "text", "engine", "versions", "machine")
    tables = [_pairs(name.capitalize(), run.table(name)) for name in names if run.table(name)]
    measured = {**run.timings, **run.summary}
    memory = number(measured, "peak_memory_bytes")
    costs = {
        "wall time": duration(number(measured, "seconds")),
        "updates per second": whole(number(measured, "updates_per_second")),
        "characters per second": whole(number(measured, "characters_per_second")),
        "peak memory": "\u2013" if memory is None else f"{memory / 2**20:,.0f} MiB",
    }
    costs = {name: value for name, value in costs.items() if value != "\u2013"}
    if costs:
        tables.append(_pairs("Time and memory", costs))
    if not tables:
        return missing_note("the run directory has no run.toml, the file with the settings.")
    return tag("div", *tables, class_="columns")


def _pairs(title: str, values: Mapping[str, Any]) -> Html:
    return table(
        title, [], ([name.replace("_", " "), _setting(name, value)] for name, value in values.items()), kind="pairs"
    )


def _setting(name: str, value: object) -> Html:
    """Return the value of a setting with its unit, or the meaning of 0."""
    amount = number({name: value}, name)
    if amount is None or name not in SETTINGS:
        return _plain(value)
    if amount == 0 and name in ZERO:
        return visible(ZERO[name])
    if name in TIMES:
        return visible(duration(amount))
    unit = SETTINGS[name].unit
    if not unit or unit in name:
        return _plain(value)
    return join([_plain(value), f" {unit.removesuffix('s') if amount == 1 else unit}"])


def _plain(value: object, depth: int = 0) -> Html:
    if isinstance(value, bool):
        return Html("yes" if value else "no")
    if isinstance(value, (list, dict)) and depth == MAX_DEPTH:
        return Html("…")
    if isinstance(value, list):
        return join((_plain(item, depth + 1) for item in value), "; ") or Html("none")
    if isinstance(value, dict):
        return join((join([f"{name} ", _plain(item, depth + 1)]) for name, item in value.items()), "; ")
    if isinstance(value, int):
        return visible(f"{value:,}")
    return visible(f"{value:g}" if isinstance(value, float) else str(value))

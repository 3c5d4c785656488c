"""The hand-derived gradients beside numerical ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra.formatting import describe_share
from recurra.network.gradient_check import COMPLEX_TOLERANCE
from recurra.report.markup import Html, join, missing_note, power, table, tag
from recurra.runs.records import mapping, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recurra.runs.records import RunData


def gradient_section(run: RunData) -> Html:
    """The hand-written gradients beside numerical ones, a row for every parameter."""
    check = mapping(run.summary.get("gradient_check"))
    cells = mapping(check.get("cells"))
    if not cells:
        return missing_note(
            "Absent: this run was not checked at its end, as large networks are not; "
            "recurra check and the run's folder does it, and recurra check --every proves every kind of network."
        )
    passed = check.get("passed") is True
    words = (
        f"The gradients are derived by hand. On the first sequence of the text {_extent(check)} compared with "
        "two numerical ones. Central differences, taken at the initial weights, repeat the report's experiment; their "
        "own rounding and truncation limit them. The complex step, Im f(x + ih) / h, subtracts nothing and so shows "
        "the formulas' own error: here the larger of that at the initial weights and that where the training led."
    )
    verdict = "All agree." if passed else "They do not all agree: see the last column."
    tables = (_gradient_table(cell, mapping(rows), several=len(cells) > 1) for cell, rows in cells.items())
    return join([tag("p", words + " ", tag("strong", verdict)), *tables])


def _extent(check: Mapping[str, Any]) -> str:
    """Which elements were compared; an older summary, which does not say, has all of them."""
    checked, elements = number(check, "checked"), number(check, "elements")
    if checked is None or elements is None or not 0 < checked < elements:
        return "every one of them was"
    return f"a random sample of them, {describe_share(int(checked), int(elements))}, was"


def _gradient_table(cell: str, rows: Mapping[str, Any], *, several: bool) -> Html:
    header = [
        "Parameter",
        "Largest difference",
        "The report (DD2424)",
        "Relative error, central",
        "Relative error, complex step",
        "Verdict",
    ]
    caption = "Gradients by hand against gradients by number" + (f": {cell}" if several else "")
    body = (_gradient_row(name, mapping(row)) for name, row in rows.items())
    note = tag(
        "p",
        "Differences are the largest over all entries of the parameter that were compared; relative errors are that "
        "difference over the parameter's largest gradient. A row agrees when the complex step's error is at most ",
        power(COMPLEX_TOLERANCE, 0),
        " and, where the report (DD2424) prints a figure, the difference is no larger than that.",
        class_="note",
    )
    return join([table(caption, header, body, kind="wide"), note])


def _gradient_row(name: str, row: Mapping[str, Any]) -> list[str]:
    central, relative, exact = (number(row, f"max_{kind}") for kind in ("abs_central", "rel_central", "rel_complex"))
    agrees = row.get("passed") is True
    verdict = tag("span", "✓ agrees", class_="good") if agrees else tag("span", "✗ differs", class_="bad")
    figure = power(number(row, "seed_tolerance"), 0)
    return [tag("code", name), power(central), figure, power(relative), power(exact), verdict]

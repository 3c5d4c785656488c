"""The gradients derived by hand, compared with numerical gradients."""

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
    """Return the tables that compare the gradients with numerical ones, with a row for every parameter."""
    check = mapping(run.summary.get("gradient_check"))
    cells = mapping(check.get("cells"))
    if not cells:
        return missing_note(
            "the gradients of this run were not checked, which is usual for a large network or an interrupted run. "
            "To check them, run: recurra check RUN_DIRECTORY"
        )
    passed = check.get("passed") is True
    words = (
        "The analytic gradients come from formulas that were derived by hand. On the first sequence of the text "
        f"{_extent(check)} compared with two numerical gradients. Central differences at the initial weights repeat "
        "the experiment of the DD2424 report; rounding and truncation limit their accuracy. The complex step, "
        "Im f(x + ih) / h, has no subtraction and so no such limit: its column shows the error of the formulas, the "
        "larger one of the errors at the initial and at the trained weights."
    )
    verdict = "All gradients agree." if passed else "Not all gradients agree: see the last column."
    tables = (_gradient_table(cell, mapping(rows), several=len(cells) > 1) for cell, rows in cells.items())
    return join([tag("p", words + " ", tag("strong", verdict)), *tables])


def _extent(check: Mapping[str, Any]) -> str:
    """Return a phrase for the compared elements; a summary without their number is of all elements."""
    checked, elements = number(check, "checked"), number(check, "elements")
    if checked is None or elements is None or not 0 < checked < elements:
        return "all their elements were"
    return f"a random sample of {describe_share(int(checked), int(elements))} was"


def _gradient_table(cell: str, rows: Mapping[str, Any], *, several: bool) -> Html:
    header = [
        "Parameter",
        "Largest difference, central differences",
        "Largest difference in the DD2424 report",
        "Relative error, central differences",
        "Relative error, complex step",
        "Result",
    ]
    caption = "Analytic and numerical gradients" + (f": {cell}" if several else "")
    body = (_gradient_row(name, mapping(row)) for name, row in rows.items())
    note = tag(
        "p",
        "A difference is the largest one over the compared elements of a parameter. A relative error is a largest "
        "difference divided by the largest gradient of the parameter. The result is “agrees” if the relative error of "
        "the complex step is at most ",
        power(COMPLEX_TOLERANCE, 0),
        " and the largest difference is not above the one in the DD2424 report, if that report has one.",
        class_="note",
    )
    return join([table(caption, header, body, kind="wide"), note])


def _gradient_row(name: str, row: Mapping[str, Any]) -> list[str]:
    central, relative, exact = (number(row, f"max_{kind}") for kind in ("abs_central", "rel_central", "rel_complex"))
    agrees = row.get("passed") is True
    result = tag("span", "✓ agrees", class_="good") if agrees else tag("span", "✗ differs", class_="bad")
    published = power(number(row, "seed_tolerance"), 0)
    return [tag("code", name), power(central), published, power(relative), power(exact), result]

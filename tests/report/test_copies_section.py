"""The section of copied passages, with valid and with invalid data."""

from __future__ import annotations

import pytest

from recurra.report.page_parts import passage
from recurra.report.sections.copies import copies_section
from recurra.runs.records import load
from run_folder import MakeRun

COPY = "the fox and the crow <b>"
TEXT = f"And so {COPY} went home"
COPIED = {
    "longest": 24,
    "passages": [
        {"length": 24, "start": 7, "offset": 12345, "line": 99, "text": COPY},
        {"length": 5, "start": 0, "offset": 3, "line": 1, "text": "And s"},
    ],
    "novel_ngrams": {"1": 0.0, "5": 0.25, "20": 1.0},
}


def test_long_copies_are_marked_and_listed(make_run: MakeRun) -> None:
    marked = passage(TEXT, COPIED)
    assert "And so <mark>the fox and the crow &lt;b&gt;</mark> went home" in marked
    section = copies_section(load(make_run(best_sample=TEXT, final_sample=TEXT, copied={"best_sample": COPIED})))
    for part in ("12,345", "99", "Longest passages copied by the best model", "25%", "100%"):
        assert part in section
    assert "final model" not in section


def test_models_with_the_same_text_have_one_table(make_run: MakeRun) -> None:
    both = {"best_sample": COPIED, "final_sample": COPIED}
    assert "final model" not in copies_section(load(make_run(best_sample=TEXT, final_sample=TEXT, copied=both)))
    assert "final model" in copies_section(load(make_run("other", best_sample=TEXT, copied=both)))


def test_overlapping_copies_are_marked_without_overlap() -> None:
    first, second = "abcdefghijklmnopqrstuvwxyz"[:22], "abcdefghijklmnopqrstuvwxyz"[4:26]
    rows = [{"start": 4, "text": second}, {"start": 0, "text": first}]
    marked = passage("abcdefghijklmnopqrstuvwxyz", {"passages": rows})
    assert "<mark>abcdefghijklmnopqrstuv</mark><mark>wxyz</mark>" in marked


@pytest.mark.parametrize(
    "copied",
    [
        {"passages": [{"start": 3, "text": "a passage that the text does not contain"}]},
        {"passages": [{"start": -1, "text": COPY}, {"start": 1e300, "text": COPY}, {"start": "7", "text": COPY}]},
        {"passages": [7, None, {"start": 7}, {"text": COPY}]},
        {"passages": "many"},
        {},
    ],
)
def test_invalid_copies_mark_nothing(copied: dict[str, object], make_run: MakeRun) -> None:
    assert "<mark>" not in passage(TEXT, copied)
    copies_section(load(make_run(best_sample=TEXT, copied={"best_sample": copied | {"novel_ngrams": [1]}})))


def test_unfinished_run_has_no_copies(make_run: MakeRun) -> None:
    assert "the search for copied passages runs when the training ends" in copies_section(load(make_run()))

"""The page of held-out text: all of it, escaped, with its numbers; and nothing where there is none."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from recurra.report.document import write_report
from recurra.report.sections.held_out import held_out_section
from recurra.runs.records import load
from run_folder import HOSTILE, MakeRun


def page(make_run: MakeRun, passage: Any) -> str:
    return held_out_section(load(make_run(held_out_passage=passage)))


def test_each_character_with_its_shade_and_number(make_run: MakeRun) -> None:
    found = page(make_run, {"text": "ab\nc", "nats": [0.25, 1.5, 8.0, 3.0]})
    assert '<span class="s0" title="0.25">a</span><span class="s2" title="1.50">b</span>' in found
    assert '<span class="s5" title="8.00"><span class="end">¶</span></span>\n' in found
    assert f"The mean of this page is {12.75 / 4:.3f} nats, {12.75 / 4 / math.log(2):.3f} bits" in found
    assert "from 8 nats: 25%" in found


def test_nothing_in_it_becomes_markup(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run(held_out_passage={"text": HOSTILE, "nats": [1.0] * len(HOSTILE)})
    text = write_report([folder], tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.count("<script") == 2  # our data and our script
    assert "\x1b" not in text
    assert "\u202e" not in text
    shown = re.search(r'<blockquote class="page".*?</blockquote>', text, re.DOTALL)
    assert shown is not None
    assert shown.group().count('title="1.00"') == len(HOSTILE)


@pytest.mark.parametrize(
    "passage", [None, 7, {}, {"text": "ab"}, {"text": "ab", "nats": [1.0]}, {"text": "a", "nats": ["x"]}, {"text": 1}]
)
def test_what_is_no_passage_is_absent(make_run: MakeRun, passage: Any) -> None:
    assert "Absent: no text was held out" in page(make_run, passage)


def test_n_grams_stand_in_the_table_beside_the_model(make_run: MakeRun, tmp_path: Path) -> None:
    held_out = {"uniform": 5.5, "unigram": 4.5, "gzip": 4.0, "bzip2": 3.75, "xz": 3.5}
    folder = make_run(held_out_baselines=held_out, held_out_ngrams={"1": 4.6, "2": 3.9, "3": 3.25})
    text = write_report([folder], tmp_path / "page.html").read_text(encoding="utf-8")
    row = r'<th scope="row">3-gram</th><td>–</td><td>3\.250</td>'
    assert re.search(row, text)
    assert "Kneser-Ney" in text

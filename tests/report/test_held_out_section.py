"""The section of held-out text: complete, escaped, with the loss of each character."""

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


def section(make_run: MakeRun, passage: Any) -> str:
    return held_out_section(load(make_run(held_out_passage=passage)))


def test_each_character_has_its_shade_and_loss(make_run: MakeRun) -> None:
    html = section(make_run, {"text": "ab\nc", "nats": [0.25, 1.5, 8.0, 3.0]})
    assert '<span class="s0" title="0.25">a</span><span class="s2" title="1.50">b</span>' in html
    assert '<span class="s5" title="8.00"><span class="end">¶</span></span>\n' in html
    assert (
        f"The mean loss of this text is {12.75 / 4:.3f} nats, or {12.75 / 4 / math.log(2):.3f} bits, per character."
        in html
    )
    assert "from 8 nats: 25% of characters" in html


def test_held_out_text_never_becomes_markup(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run(held_out_passage={"text": HOSTILE, "nats": [1.0] * len(HOSTILE)})
    text = write_report([folder], tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.count("<script") == 2  # the data and the script of the report
    assert "\x1b" not in text
    assert "\u202e" not in text
    shaded = re.search(r'<blockquote class="page".*?</blockquote>', text, re.DOTALL)
    assert shaded is not None
    assert shaded.group().count('title="1.00"') == len(HOSTILE)


@pytest.mark.parametrize(
    "passage", [None, 7, {}, {"text": "ab"}, {"text": "ab", "nats": [1.0]}, {"text": "a", "nats": ["x"]}, {"text": 1}]
)
def test_invalid_passage_is_not_available(make_run: MakeRun, passage: Any) -> None:
    assert "Not available: no text was held out" in section(make_run, passage)


def test_n_grams_are_in_the_comparison(make_run: MakeRun, tmp_path: Path) -> None:
    held_out = {"uniform": 5.5, "unigram": 4.5, "gzip": 4.0, "bzip2": 3.75, "xz": 3.5}
    folder = make_run(held_out_baselines=held_out, held_out_ngrams={"1": 4.6, "2": 3.9, "3": 3.25})
    text = write_report([folder], tmp_path / "page.html").read_text(encoding="utf-8")
    row = r'<th scope="row">3-gram</th><td>–</td><td>3\.250</td>'
    assert re.search(row, text)
    assert "Kneser-Ney" in text

"""The passages that samples copied from the text, in the summary of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import recurra
from recurra.inference.novelty import novelty, to_table
from recurra.runs.findings import copied_passages
from recurra.runs.logs import SampleText
from recurra.runs.records import load
from recurra.text.reading import from_string

BOOK = "A small book, of few words, read many times over: déjà vu.\n" * 60
SETTINGS: dict[str, Any] = {"hidden_size": 8, "proof": False, "preset": "classic", "sample_every": 20, "updates": 60}


def test_summary_has_copied_passages(tmp_path: Path) -> None:
    run = recurra.train(text=BOOK, run=tmp_path / "run", **SETTINGS)
    saved = load(run.folder)
    assert saved.summary["copied"] == run.summary["copied"]
    for name in ("best_sample", "final_sample"):
        assert run.summary["copied"][name] == to_table(novelty(run.summary[name], BOOK))
    longest = {str(sample.update): novelty(sample.text, BOOK).longest for sample in saved.samples}
    assert saved.summary["longest_copies"] == longest
    assert set(longest) == {"0", "20", "40", "60"}
    assert "Passages copied from the text" in (run.folder / "report.html").read_text(encoding="utf-8")


def test_copied_passages_of_byte_model_are_in_characters(tmp_path: Path) -> None:
    run = recurra.train(text=BOOK, encoding="bytes", run=tmp_path / "run", **SETTINGS)
    last = {"best_sample": "xx times over: déjà vu.\nA small xx", "final_sample": ""}
    text = from_string(BOOK, encoding="bytes")
    figures = copied_passages.figures(last, [SampleText(0, "zdéjà"), SampleText(1, "")], text, run.model.vocabulary)
    assert list(figures["copied"]) == ["best_sample"]
    first = figures["copied"]["best_sample"]["passages"][0]
    assert (first["text"], first["start"], first["length"]) == (" times over: déjà vu.\nA small ", 2, 30)
    assert figures["longest_copies"] == {"0": 4}


def test_number_of_searched_samples_is_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(copied_passages, "TOGETHER", 10)
    monkeypatch.setattr(copied_passages, "PASSES", 2)
    samples = [SampleText(update, "A small") for update in range(4)] + [SampleText(4, "small b"), SampleText(5, "A")]
    text = from_string(BOOK)
    assert copied_passages.figures({}, samples, text, text.vocabulary) == {"longest_copies": {"5": 1, "4": 7, "3": 7}}

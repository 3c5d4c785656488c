"""What samples have copied from the text, as a training leaves it for its report."""

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


def test_a_training_leaves_what_its_samples_have_copied(tmp_path: Path) -> None:
    run = recurra.train(text=BOOK, run=tmp_path / "run", **SETTINGS)
    told = load(run.folder)
    assert told.summary["copied"] == run.summary["copied"]
    for name in ("best_sample", "final_sample"):
        assert run.summary["copied"][name] == to_table(novelty(run.summary[name], BOOK))
    longest = {str(sample.update): novelty(sample.text, BOOK).longest for sample in told.samples}
    assert told.summary["longest_copies"] == longest
    assert set(longest) == {"0", "20", "40", "60"}
    assert "What it has copied" in (run.folder / "report.html").read_text(encoding="utf-8")


def test_of_a_model_of_bytes_they_are_in_characters(tmp_path: Path) -> None:
    run = recurra.train(text=BOOK, encoding="bytes", run=tmp_path / "run", **SETTINGS)
    last = {"best_sample": "xx times over: déjà vu.\nA small xx", "final_sample": ""}
    text = from_string(BOOK, encoding="bytes")
    found = copied_passages.figures(last, [SampleText(0, "zdéjà"), SampleText(1, "")], text, run.model.vocabulary)
    assert list(found["copied"]) == ["best_sample"]
    first = found["copied"]["best_sample"]["passages"][0]
    assert (first["text"], first["start"], first["length"]) == (" times over: déjà vu.\nA small ", 2, 30)
    assert found["longest_copies"] == {"0": 4}


def test_no_more_samples_are_searched_than_a_few_readings_allow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(copied_passages, "TOGETHER", 10)
    monkeypatch.setattr(copied_passages, "PASSES", 2)
    samples = [SampleText(update, "A small") for update in range(4)] + [SampleText(4, "small b"), SampleText(5, "A")]
    text = from_string(BOOK)
    assert copied_passages.figures({}, samples, text, text.vocabulary) == {"longest_copies": {"5": 1, "4": 7, "3": 7}}

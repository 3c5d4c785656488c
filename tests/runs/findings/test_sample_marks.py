"""The marks in samples: words of the book, and passages copied from the book."""

from __future__ import annotations

from pathlib import Path

import pytest

import recurra
from recurra.runs.findings import sample_marks
from recurra.runs.findings.sample_marks import mark
from recurra.runs.logs import SampleText
from recurra.runs.records import load
from recurra.text.reading import from_string

BOOK = "A small book, of few words, read many times over: déjà vu.\n" * 3


def test_words_and_copied_passages_are_marked() -> None:
    text = "smalx book: of few words, read many foo"
    (marks,) = mark([SampleText(7, text)], from_string(BOOK))
    assert [text[start : start + length] for start, length in marks["words"]] == [
        "book", "of", "few", "words", "read", "many",
    ]  # fmt: skip
    assert (marks["update"], marks["total"]) == (7, 8)
    assert [text[start : start + length] for start, length in marks["copied"]] == [" of few words, read many "]


def test_samples_of_byte_model_are_marked_in_characters() -> None:
    (marks,) = mark([SampleText(0, "déjà xx")], from_string(BOOK, encoding="bytes"))
    assert marks["words"] == [[0, 4]]


def test_empty_samples_have_no_marks() -> None:
    assert mark([SampleText(0, "")], from_string(BOOK)) == []
    assert mark([], from_string(BOOK)) == []


def test_copies_are_marked_only_in_newest_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_marks, "TOGETHER", 60)
    samples = [SampleText(update, "of few words, read many times") for update in range(5)]
    assert ["copied" in marks for marks in mark(samples, from_string(BOOK))] == [False, False, False, True, True]


def test_block_size_does_not_split_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for block in range(10, 40):
        monkeypatch.setattr(sample_marks, "MARKING_BLOCK_CHARACTERS", block)
        (marks,) = mark([SampleText(0, BOOK)], from_string(BOOK))
        assert len(marks["words"]) == marks["total"] == 36


def test_summary_has_sample_marks(tmp_path: Path) -> None:
    run = recurra.train(text=BOOK * 20, run=tmp_path / "run", updates=20, hidden_size=8, proof=False, preset="classic")
    samples = load(run.folder).samples
    assert [table["update"] for table in load(run.folder).summary["sample_marks"]] == [
        s.update for s in samples if s.text
    ]

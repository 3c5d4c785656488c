"""What of the samples is marked: words of the book, and what was copied from it."""

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


def test_words_and_copies_are_marked() -> None:
    text = "smalx book: of few words, read many foo"
    (found,) = mark([SampleText(7, text)], from_string(BOOK))
    assert [text[start : start + length] for start, length in found["words"]] == [
        "book", "of", "few", "words", "read", "many",
    ]  # fmt: skip
    assert (found["update"], found["total"]) == (7, 8)
    assert [text[start : start + length] for start, length in found["copied"]] == [" of few words, read many "]


def test_a_text_of_bytes_is_read_as_its_samples_are() -> None:
    (found,) = mark([SampleText(0, "déjà xx")], from_string(BOOK, encoding="bytes"))
    assert found["words"] == [[0, 4]]


def test_an_empty_sample_is_left_out_and_none_is_no_error() -> None:
    assert mark([SampleText(0, "")], from_string(BOOK)) == []
    assert mark([], from_string(BOOK)) == []


def test_copies_are_looked_for_in_the_newest_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_marks, "TOGETHER", 60)
    samples = [SampleText(update, "of few words, read many times") for update in range(5)]
    assert ["copied" in found for found in mark(samples, from_string(BOOK))] == [False, False, False, True, True]


def test_words_are_not_cut_where_the_book_is_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for block in range(10, 40):
        monkeypatch.setattr(sample_marks, "MARKING_BLOCK_CHARACTERS", block)
        (found,) = mark([SampleText(0, BOOK)], from_string(BOOK))
        assert len(found["words"]) == found["total"] == 36


def test_a_training_leaves_its_marks(tmp_path: Path) -> None:
    run = recurra.train(text=BOOK * 20, run=tmp_path / "run", updates=20, hidden_size=8, proof=False, preset="classic")
    samples = load(run.folder).samples
    assert [table["update"] for table in load(run.folder).summary["sample_marks"]] == [
        s.update for s in samples if s.text
    ]

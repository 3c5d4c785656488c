"""Reading the training text of a model again: the same text, or an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurra
from recurra.errors import ModelError, TextError
from recurra.runs.provenance import Provenance

BOOK = "A small book, of few words, read many times over.\n" * 40
SETTINGS: dict[str, Any] = {"preset": "classic", "updates": 20, "hidden_size": 8, "proof": False, "report": False}


def train(tmp_path: Path, **settings: Any) -> Path:
    book = tmp_path / "book.txt"
    book.write_text(BOOK, encoding="utf-8")
    return recurra.train(book, run=tmp_path / "run", **SETTINGS | settings).folder


def test_text_is_read_again_with_its_parts(tmp_path: Path) -> None:
    folder = train(tmp_path, validation=0.1, test=0.05)
    prepared = Provenance(folder).prepared_text
    assert prepared.text.text == BOOK
    assert prepared.held_out == (1700, 1900)
    assert prepared.vocabulary == recurra.load(folder).vocabulary
    assert np.array_equal(prepared.parts[0][:], prepared.vocabulary.encode(BOOK[:1700]))
    assert Provenance(folder).sha256 == prepared.text.sha256
    checkpoint = next((folder / "checkpoints").glob("update-*"))
    assert Provenance(checkpoint).prepared_text.held_out == (1700, 1900)


def test_split_of_documents_is_between_lines(tmp_path: Path) -> None:
    folder = train(tmp_path, validation=0.09, documents="lines", preset="small", batch_size=4)
    assert recurra.load(folder).documents == "lines"
    start, stop = Provenance(folder).prepared_text.held_out
    assert (start % 50, stop) == (0, 2000)


def test_ids_use_vocabulary_of_start_model(tmp_path: Path) -> None:
    first = train(tmp_path)
    small = tmp_path / "small.txt"
    small.write_text("read small words " * 20, encoding="utf-8")
    run = recurra.train(small, start=first, run=tmp_path / "second", **SETTINGS)
    ids = Provenance(run.folder).prepared_text.parts[0]
    assert run.model.vocabulary.decode(ids[:17]) == "read small words "


def test_changed_or_missing_text_is_an_error(tmp_path: Path) -> None:
    folder = train(tmp_path)
    (tmp_path / "book.txt").write_text(BOOK + "x")
    with pytest.raises(TextError, match=r"the text of `.*/run` has changed: its sha256 is ") as caught:
        Provenance(folder).prepared_text  # noqa: B018
    assert caught.value.hint == "give the text: `recurra score MODEL TEXT`."
    (tmp_path / "book.txt").unlink()
    with pytest.raises(TextError, match="neither a book nor an existing file"):
        Provenance(folder).prepared_text  # noqa: B018


def test_text_without_recorded_files_is_an_error(tmp_path: Path) -> None:
    folder = train(tmp_path)
    moved = tmp_path / "alone.safetensors"
    moved.write_bytes((folder / "checkpoints" / "best.safetensors").read_bytes())
    with pytest.raises(TextError, match=r"the text of `.*` cannot be read again: the run has no record of its files\."):
        Provenance(moved).prepared_text  # noqa: B018
    run = recurra.train(text=BOOK, run=tmp_path / "string", **SETTINGS)
    with pytest.raises(TextError, match=r"the text of `.*/string` cannot be read again: it was a string\."):
        Provenance(run.folder).prepared_text  # noqa: B018


def test_model_file_without_training_text_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    recurra.load(train(tmp_path)).save(path)
    with pytest.raises(ModelError, match="does not name its training text"):
        Provenance(path).prepared_text  # noqa: B018
    assert Provenance(path).sha256 is None
    assert recurra.load(path).documents is None

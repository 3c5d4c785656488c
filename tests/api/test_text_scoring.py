"""Scores in Python: one score, a comparison of models, and baselines."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import recurra
from recurra.errors import ModelError, UsageError
from recurra.inference.dynamic_evaluation import DynamicConfig


def test_the_score_of_a_text_is_that_of_the_model(small_run: Path) -> None:
    model = recurra.load(small_run)
    expected = model.score("abe cede")
    assert recurra.score(small_run, text="abe cede") == recurra.score(model, text="abe cede") == expected
    kept = recurra.score(model, text="abe cede", per_character=True)
    assert expected.losses is not None
    assert kept.losses is not None
    assert np.array_equal(kept.losses, expected.losses)
    with pytest.raises(ValueError, match="read-only"):
        kept.losses[0] = 0


def test_default_text_of_evaluate_is_held_out_part(small_run: Path) -> None:
    found = recurra.evaluate(small_run)
    text = recurra.read_training_text(small_run)
    assert found.text.part == "the part that was held out"
    assert text.text[found.text.start : found.text.stop] == text.text[-found.text.length :]
    assert recurra.score(small_run).nats == found.results[0].reading.score.nats
    with pytest.raises(ModelError, match="the training text of the model is unknown"):
        recurra.evaluate(recurra.load(small_run))


def test_models_side_by_side_with_baselines(small_run: Path) -> None:
    seen = []
    found = recurra.evaluate(
        [small_run, recurra.load(small_run)],
        text="abe cede",
        baselines=True,
        progress=lambda *progress: seen.append(progress),
    )
    assert [result.name for result in found.results] == [str(small_run), "model"]
    assert [progress for progress in seen if progress[1] == 8] == [(str(small_run), 8, 8), ("model", 8, 8)]
    table = found.to_table()
    assert table["nats"] == table["also"][0]["nats"] == recurra.score(small_run, text="abe cede").nats
    assert table["baselines"] == recurra.baselines(text="abe cede", model=small_run)
    assert table["baselines"]["uniform"] == math.log2(6)
    assert "ngram" not in recurra.baselines(text="abe cede")


def test_dynamic_evaluation_uses_rms_if_training_text_is_known(small_run: Path) -> None:
    found = recurra.evaluate([small_run, recurra.load(small_run)], text="abe cede" * 20, dynamic=True)
    assert [result.how.method for result in found.results if result.how is not None] == ["rms", "sgd"]
    assert found.notes == [
        "dynamic evaluation by sgd: the training text of the model is unknown, because the model was not loaded from "
        "a file."
    ]
    by_config = recurra.score(small_run, text="abe cede" * 20, dynamic=DynamicConfig(rate=0.0))
    assert by_config == recurra.score(small_run, text="abe cede" * 20)
    assert recurra.score(small_run, text="abe", dynamic="sgd", dynamic_rate=0.0) == recurra.score(small_run, text="abe")
    with pytest.raises(UsageError, match="`dynamic_rate` requires `dynamic` to be True"):
        recurra.score(small_run, text="abe", dynamic_rate=0.1)
    with pytest.raises(ModelError, match="the training text of the model is unknown"):
        recurra.score(recurra.load(small_run), text="abe", dynamic="rms")


def test_lines_are_scored_separately(small_run: Path) -> None:
    found = recurra.evaluate(small_run, text="abe\n\ncede\n", documents="lines")
    assert [row["line"] for row in found.rows()] == [1, 3]
    assert found.to_table()["documents"] == found.rows()
    with pytest.raises(UsageError, match="`--documents lines` cannot be combined with `--dynamic`"):
        recurra.score(small_run, text="abe", documents="lines", dynamic=True)


def test_a_note_of_the_evaluation_is_a_warning_of_the_score(small_run: Path) -> None:
    with pytest.warns(UserWarning, match="the model was trained on this text"):
        recurra.score(small_run, small_run.parent / "book.txt")

"""Finding the model file of a path: a checkpoint file, or the best checkpoint of a run directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from recurra.config import ModelConfig
from recurra.errors import ModelError
from recurra.model import LanguageModel
from recurra.network.parameters import initialize
from recurra.runs.layout import BEST, CHECKPOINTS
from recurra.runs.saved_model import load, locate
from recurra.text.vocabulary import Vocabulary

VOCABULARY = Vocabulary.of("\n abcde")
CONFIG = ModelConfig(hidden_size=8)


def make_model(seed: int) -> LanguageModel:
    return LanguageModel(CONFIG, VOCABULARY, initialize(CONFIG, len(VOCABULARY), seed=seed, scale=0.5))


def test_run_directory_loads_best_checkpoint_else_latest(tmp_path: Path) -> None:
    folder = tmp_path / CHECKPOINTS
    folder.mkdir()
    with pytest.raises(ModelError, match=r"has no checkpoint\.") as caught:
        locate(tmp_path)
    assert caught.value.hint == "give a run directory, such as runs/kjv, or a checkpoint file."
    for seed, name in enumerate(("update-000000000009.safetensors", "update-000000000010.safetensors", BEST)):
        make_model(seed=seed).save(folder / name)
        assert locate(tmp_path) == folder / name
        assert load(tmp_path).sha256 == make_model(seed=seed).sha256
    assert locate(str(folder / BEST)) == folder / BEST


@pytest.mark.parametrize("name", ["runs/none", "."])
def test_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"there is no model `runs/none`|`\.` has no checkpoint") as caught:
        load(name)
    assert caught.value.exit_code == 4


def test_too_long_path_is_an_error() -> None:
    with pytest.raises(ModelError, match=r"cannot read the model `x+`: File name too long\."):
        load("x" * 5000)


def test_text_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("It was the best of times")
    with pytest.raises(ModelError, match="is not a model file of recurra"):
        load(tmp_path / "book.txt")

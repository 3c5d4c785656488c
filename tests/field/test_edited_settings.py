"""Settings saved by an editor on Windows: with a byte order mark and CR LF line ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import recurra
from recurra.config import ModelConfig
from recurra.model import LanguageModel
from recurra.network.parameters import initialize
from recurra.runs.layout import SETTINGS
from recurra.runs.run_toml import read_settings
from recurra.text.vocabulary import Vocabulary

CONFIG, VOCABULARY = ModelConfig(hidden_size=3), Vocabulary.of("\nabé")


def edit(path: Path) -> None:
    """Save a text file as an editor on Windows does."""
    data = path.read_bytes()
    path.write_bytes(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"))
    assert b"\r\n" in path.read_bytes()


def test_an_exported_folder(tmp_path: Path) -> None:
    model = LanguageModel(CONFIG, VOCABULARY, initialize(CONFIG, len(VOCABULARY), seed=1))
    folder = recurra.export(model, tmp_path / "exported", format="folder")
    for name in ("config.json", "vocab.json"):
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")), indent=1), encoding="utf-8")
        edit(path)
    found = recurra.import_model(folder)
    assert (found.config, found.vocabulary) == (model.config, model.vocabulary)
    assert all(np.array_equal(found.parameters[name], value) for name, value in model.parameters.items())


def test_the_settings_of_a_run(tmp_path: Path) -> None:
    path = tmp_path / SETTINGS
    path.write_text('[training]\nseed = 3\n[text]\nname = "é"\n', encoding="utf-8")
    edit(path)
    assert read_settings(tmp_path) == {"model": {}, "training": {"seed": 3}, "text": {"name": "é"}, "engine": {}}


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xef\xbb\xbf\xef\xbb\xbf"])
def test_other_marks_are_an_error(tmp_path: Path, mark: bytes) -> None:
    (tmp_path / SETTINGS).write_bytes(mark + b"[training]\n")
    with pytest.raises(recurra.ModelError, match=r"run\.toml` cannot be read: "):
        read_settings(tmp_path)

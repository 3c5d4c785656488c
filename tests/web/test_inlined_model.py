"""The models that a report contains, and the reason if it contains none."""

from __future__ import annotations

from pathlib import Path

import pytest

from recurra.config import ModelConfig
from recurra.model import LanguageModel
from recurra.network.parameters import initialize
from recurra.report.document import write_report
from recurra.text.vocabulary import Vocabulary
from recurra.web.inlined_model import inline_model
from recurra.web.packed_model import pack
from run_folder import MakeRun


def with_model(folder: Path, units: int) -> LanguageModel:
    config, vocabulary = ModelConfig(hidden_size=units), Vocabulary.of("abc\n")
    model = LanguageModel(config, vocabulary, initialize(config, len(vocabulary), seed=0))
    (folder / "checkpoints").mkdir()
    model.save(folder / "checkpoints" / "best.safetensors")
    return model


def test_report_contains_a_small_model(make_run: MakeRun) -> None:
    folder = make_run()
    model = with_model(folder, 20)
    assert inline_model(folder, with_model=False) == (pack(model, None, "model file"), "", "model file")


def test_report_contains_a_large_model_only_on_request(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run()
    model = with_model(folder, 300)
    words = "the report does not contain the model, which has 92,704 parameters (0.4 MB). To include it, run: "
    assert inline_model(folder, with_model=False).absent.startswith(words)
    assert inline_model(folder, with_model=True).data == pack(model, None, "model file")
    small = write_report([folder], tmp_path / "small.html").stat().st_size
    assert write_report([folder], tmp_path / "large.html", with_model=True).stat().st_size > small + 4 * 92_704 * 4 / 3


def test_run_without_a_model_has_a_reason(make_run: MakeRun) -> None:
    assert "has no checkpoint" in inline_model(make_run(), with_model=True).absent


@pytest.mark.parametrize("damage", [b"", b"\x00" * 100])
def test_report_with_a_damaged_model_is_written(make_run: MakeRun, tmp_path: Path, damage: bytes) -> None:
    folder = make_run()
    with_model(folder, 20)
    (folder / "checkpoints" / "best.safetensors").write_bytes(damage)
    text = write_report([folder], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Not available: `" in text
    assert "2. Smooth loss" in text

"""Gradient checks, reports, exchange of models and the server, called from Python."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import recurra
from recurra.errors import ModelError, UsageError
from recurra.runs import gradient_proof


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_check_of_a_new_network_and_of_a_model(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradient_proof, "TRAINED_UPDATES", 5)
    calls: list[str] = []
    text = "bad cab, bed ace"
    found = recurra.check(
        text=text, hidden_size=3, sequence_length=4, announce=lambda: calls.append("begins"),
        progress=lambda *_: calls.append("progress"),
    )  # fmt: skip
    assert found["passed"] is True
    assert (calls[0], calls.count("begins")) == ("begins", 1)
    assert recurra.check(small_run, sequence_length=4)["passed"] is True
    with pytest.raises(UsageError, match="MODEL cannot be combined with `--hidden-size`"):
        recurra.check(small_run, hidden_size=3)
    with pytest.raises(UsageError, match="`--every` cannot be combined with MODEL"):
        recurra.check(small_run, every=True)
    with pytest.raises(UsageError, match="unknown setting `hiden_size`"):
        recurra.check(hiden_size=3)  # type: ignore[call-arg]


def test_report_is_in_run_directory(small_run: Path) -> None:
    copy = Path("run")
    shutil.copytree(small_run, copy)
    assert recurra.write_report(copy) == [copy / "report.html"]
    assert recurra.write_report([copy, copy]) == [Path("report.html")]
    with pytest.raises(UsageError, match="`--format` requires `--figures`"):
        recurra.write_report(copy, format="svg")


def test_import_replaces_file_only_by_force(small_run: Path) -> None:
    exported = recurra.export(small_run, "model")
    model = recurra.import_model(exported, output="mine.safetensors")
    assert recurra.load("mine.safetensors").sha256 == model.sha256 == recurra.load(small_run).sha256
    with pytest.raises(UsageError, match=r"`mine\.safetensors` already exists"):
        recurra.import_model(exported, output="mine.safetensors")
    recurra.import_model(exported, output="mine.safetensors", force=True)


def test_training_text_is_read_again(small_run: Path) -> None:
    text = recurra.read_training_text(small_run)
    assert text.text == (small_run.parent / "book.txt").read_text()
    assert recurra.novelty("abba cede", text).longest == 9
    recurra.load(small_run).save("model")
    with pytest.raises(ModelError, match="does not name its training text"):
        recurra.read_training_text("model")


def test_the_server_is_guarded_before_a_model_is_read() -> None:
    pytest.importorskip("uvicorn", reason="the server needs the extra `serve`")
    with pytest.raises(UsageError, match="it needs an API key"):
        recurra.serve("nowhere", host="192.0.2.7")
    with pytest.raises(ModelError, match="there is no model `nowhere`"):
        recurra.serve("nowhere", port=0)

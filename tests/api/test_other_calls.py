"""The rest of the interface: the check of the gradients, reports, models of other programs, and the server."""

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
    heard: list[str] = []
    text = "bad cab, bed ace"
    found = recurra.check(
        text=text, hidden_size=3, sequence_length=4, announce=lambda: heard.append("begins"),
        progress=lambda *_: heard.append("progress"),
    )  # fmt: skip
    assert found["passed"] is True
    assert (heard[0], heard.count("begins")) == ("begins", 1)
    assert recurra.check(small_run, sequence_length=4)["passed"] is True
    with pytest.raises(UsageError, match="MODEL has its own network and text; got `--hidden-size` besides"):
        recurra.check(small_run, hidden_size=3)
    with pytest.raises(UsageError, match="`--every` has its own networks and texts; got MODEL besides"):
        recurra.check(small_run, every=True)
    with pytest.raises(UsageError, match="unknown setting `hiden_size`"):
        recurra.check(hiden_size=3)  # type: ignore[call-arg]


def test_the_report_of_a_run_lies_in_its_folder(small_run: Path) -> None:
    copy = Path("run")
    shutil.copytree(small_run, copy)
    assert recurra.write_report(copy) == [copy / "report.html"]
    assert recurra.write_report([copy, copy]) == [Path("report.html")]
    with pytest.raises(UsageError, match="`--format` is the figures' format, and no figures are asked for"):
        recurra.write_report(copy, format="svg")


def test_an_imported_model_is_written_unless_a_file_is_there(small_run: Path) -> None:
    exported = recurra.export(small_run, "model")
    model = recurra.import_model(exported, output="mine.safetensors")
    assert recurra.load("mine.safetensors").sha256 == model.sha256 == recurra.load(small_run).sha256
    with pytest.raises(UsageError, match=r"`mine\.safetensors` is there already"):
        recurra.import_model(exported, output="mine.safetensors")
    recurra.import_model(exported, output="mine.safetensors", force=True)


def test_the_text_that_was_learned_is_read_again(small_run: Path) -> None:
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

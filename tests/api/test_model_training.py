"""`recurra.train`: settings by name, a run with its report, and its model."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import recurra
from recurra.config import ModelConfig, TrainingConfig, configs
from recurra.errors import StorageError, TextError, UsageError
from recurra.text.reading import from_string
from recurra.training.events import Event, Record

TEXT = "bad cab\nbed ace\ndeb abe\nabba cede\n" * 4
SETTINGS: dict[str, Any] = {"hidden_size": 8, "sequence_length": 5, "updates": 30, "log_every": 10, "sample_length": 9}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def train(*sources: Any, **named: Any) -> recurra.Run:
    return recurra.train(*sources, **SETTINGS | {"report": False, "proof": False} | named)


def test_settings_are_assigned_by_name() -> None:
    model, training = configs({"hidden_size": 8, "layers": 2, "updates": 5, "seed": 1})
    assert model == ModelConfig(hidden_size=8, layers=2)
    assert training == TrainingConfig(updates=5, seed=1)
    assert configs({}) == (ModelConfig(), TrainingConfig())


def test_unknown_setting_error_lists_known_settings() -> None:
    with pytest.raises(UsageError, match=r"unknown setting `hiden_size`\.") as caught:
        train(text=TEXT, hiden_size=8)
    assert {"hidden_size", "learning_rate"} <= set(str(caught.value.hint).removesuffix(".").split(", "))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("name", "value"), [("hidden_size", 0), ("updates", -1), ("learning_rate", float("nan"))])
def test_wrong_value_of_a_setting(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=rf"`{name}` must be"):
        train(text=TEXT, **{name: value})


def test_a_text_becomes_a_run_with_its_report_and_a_model() -> None:
    run = train(text=TEXT, run="here", report=True, proof=True)
    assert run.folder == Path("here")
    assert run.summary["gradient_check"]["passed"] is True
    assert json.loads((run.folder / "summary.json").read_text()) == run.summary
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    model = recurra.load("here")
    assert model.sha256 == run.model.sha256
    assert len(model.sample("bad ", max_new_tokens=50, temperature=0.7, seed=1)) == 50
    assert model.score("abe cede").bits_per_character > 0


def test_report_and_proof_can_be_left_out() -> None:
    run = train(text=TEXT)
    assert run.folder == Path("runs/text")
    assert not (run.folder / "report.html").exists()
    assert run.summary["gradient_check"] is None


def test_sources_are_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text(TEXT)
    (tmp_path / "two.txt").write_text(TEXT)
    assert train("one.txt").folder == Path("runs/one")
    both = train([tmp_path / "one.txt", "two.txt"], validation=0.0)
    assert both.folder == Path("runs/one+1-more")
    assert both.summary["epochs"] == pytest.approx(30 / ((2 * len(TEXT) - 1) // 5))


def test_a_text_that_was_read_is_taken_as_it_is() -> None:
    text = from_string(TEXT, "fable", encoding="bytes")
    run = train(text=text)
    assert run.folder == Path("runs/fable")
    assert run.model.vocabulary.is_bytes


def test_an_encoding() -> None:
    Path("one.txt").write_bytes((TEXT + "é").encode("latin-1"))
    with pytest.raises(TextError, match="is not utf-8: byte 0xe9"):
        train("one.txt")
    assert "é" in train("one.txt", encoding="latin-1").model.vocabulary.symbols


def test_listeners_and_announce() -> None:
    heard: list[Event] = []
    announced: list[Any] = []
    train(text=TEXT, validation=0.0, listeners=[heard.append], announce=lambda *told: announced.append(told))
    assert [event.update for event in heard if isinstance(event, Record)] == [10, 20, 30]
    assert announced[0][0].text == TEXT


def test_an_old_run_is_replaced_only_by_force() -> None:
    train(text=TEXT, run="here")
    with pytest.raises(UsageError, match="`here` is not empty"):
        train(text=TEXT, run="here")
    assert train(text=TEXT, run="here", force=True, updates=10).summary["updates"] == 10


def test_unwritable_report_is_storage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise StorageError("cannot write `report.html`: No space left on device.")

    monkeypatch.setattr("recurra.api.model_training.write_report", full)
    with pytest.raises(StorageError, match=r"cannot write `report\.html`"):
        train(text=TEXT, run="here", report=True)
    assert recurra.load("here").config.hidden_size == 8


def test_the_same_call_twice_gives_the_same_model() -> None:
    first, second = train(text=TEXT, seed=5), train(text=TEXT, seed=5)
    assert first.summary["model_sha256"] == second.summary["model_sha256"]
    assert train(text=TEXT, seed=6).summary["model_sha256"] != first.summary["model_sha256"]


def test_a_model_learns_the_characters_of_another_text() -> None:
    train(text=TEXT, run="old", preset="classic", updates=500)
    before = recurra.load("old")
    more = "bad cab; ace!\n" * 20
    with pytest.raises(TextError, match=r"to start from lacks: '!' \(U\+0021\), ';' \(U\+003B\)\.") as caught:
        train(text=more, start="old", run="new")
    assert caught.value.hint == "add them with `--extend-vocabulary`, or remove them from the text."
    started = train(text=more, start="old", extend_vocabulary=True, run="start", updates=0).model
    assert started.vocabulary.symbols == "".join(sorted({*TEXT, *more}))
    assert started.sample("bad", temperature=0) == before.sample("bad", temperature=0)
    run = train(text=more, start="old", extend_vocabulary=True, run="new", preset="classic", updates=1500)
    assert run.model.vocabulary == started.vocabulary
    assert run.model.score(more).bits_per_character < 1 < started.score(more).bits_per_character
    assert math.isfinite(run.summary["smooth_loss"])


def test_an_extension_that_adds_nothing_changes_nothing() -> None:
    train(text=TEXT, run="old")
    plain = train(text=TEXT, start="old", run="plain")
    extended = train(text=TEXT, start="old", extend_vocabulary=True, run="extended")
    assert extended.summary["model_sha256"] == plain.summary["model_sha256"]


def test_extension_needs_model_of_same_kind() -> None:
    with pytest.raises(UsageError, match="`extend_vocabulary` needs a model to start from"):
        train(text=TEXT, extend_vocabulary=True)
    train(text=TEXT, run="old")
    with pytest.raises(TextError, match="the model to start from reads characters, but the text consists of bytes"):
        train(text=TEXT, start="old", extend_vocabulary=True, encoding="bytes", run="new")


def test_resume_gives_same_model() -> None:
    Path("fable.txt").write_text(TEXT)
    train("fable.txt", run="here", preset="classic", seed=5)
    resumed = recurra.train(run="here", resume=True, updates=60, proof=False)
    assert (
        resumed.summary["model_sha256"]
        == train("fable.txt", preset="classic", seed=5, updates=60).summary["model_sha256"]
    )
    assert "60" in (resumed.folder / "report.html").read_text(encoding="utf-8")
    with pytest.raises(UsageError, match="`--resume` needs `--run`"):
        recurra.train(resume=True)

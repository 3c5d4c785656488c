"""A run that is stopped or killed anywhere and then resumed gives the same bytes as an uninterrupted run."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import signal
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra.config import configs
from recurra.errors import Interrupted, ModelError, TextError, UsageError
from recurra.io import tensor_file
from recurra.network.parameters import digest
from recurra.runs import run as training_run
from recurra.runs.layout import BEST, CHECKPOINTS, METRICS, SAMPLES, SUMMARY, TIMINGS
from recurra.runs.layout import SETTINGS as RUN_TOML
from recurra.runs.saved_model import load
from recurra.text.reading import from_string, read
from recurra.training.events import Event, Finishing, Progress, Sampled
from small_training import SETTINGS, TEXT, resume_small, rows, train_small

LAST = "update-000000000100.safetensors"
LINES = "".join(line * (i % 3) + "\n" for i, line in enumerate(TEXT.splitlines() * 3))
CASES: dict[str, dict[str, Any]] = {
    "classic": {},
    "lowest loss early": {"text": "ab" * 200 + TEXT, "updates": 150},
    "reference": {"engine": "reference"},
    "reference in batches": {"engine": "reference", "cell": "lstm", "layers": 2, "batch_size": 3, "optimizer": "adam"},
    "lstm, adam, average": {"cell": "lstm", "batch_size": 3, "optimizer": "adam", "ema": 0.9, "validation": 0.2},
    "gru, adamw, dropout": {"cell": "gru", "layers": 2, "batch_size": 4, "optimizer": "adamw", "dropout": 0.3},
    "relu, momentum, shuffled": {
        "activation": "relu", "batch_size": 2, "optimizer": "momentum", "order": "shuffled", "learning_rate": 0.01,
    },
    "sgd, random, cosine": {
        "optimizer": "sgd", "order": "random", "schedule": "cosine", "warm_up": 7, "clip_norm": 1.0,
    },
    "gru, rmsprop, nothing clipped": {"cell": "gru", "optimizer": "rmsprop", "learning_rate": 0.01, "clip_value": None},
    "nesterov in shards": {"optimizer": "nesterov", "batch_size": 9, "shards": 3, "learning_rate": 0.01, "layers": 2},
    "documents": {"documents": "lines", "text": LINES, "batch_size": 3, "cell": "lstm", "validation": 0.2},
    "plateaus": {
        "validation": 0.2, "learning_rate": 3.0, "evaluate_every": 10, "plateau": 2, "updates": 150, "log_every": 7,
    },
    "patience": {"validation": 0.2, "learning_rate": 3.0, "evaluate_every": 10, "patience": 4, "updates": 900},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def stop_at(update: int) -> Any:
    """Return a listener that stops the training with SIGTERM at this update."""

    def listen(event: Event) -> None:
        if isinstance(event, Progress) and event.update >= update:
            os.kill(os.getpid(), signal.SIGTERM)

    return listen


class Killed(BaseException):
    """The simulated death of the process, which no `except` of recurra catches."""


def kill_at(update: int) -> Any:
    """Return a listener that ends the training at this update, after a checkpoint in progress is written."""

    def listen(event: Event) -> None:
        if isinstance(event, Progress) and event.update >= update:
            raise Killed

    return listen


def deterministic(folder: Path) -> dict[str, Any]:
    """Return the contents of a run that depend only on its settings and its text, by file name."""
    newest = max((folder / CHECKPOINTS).glob("update-*"))
    kept = {path.name: tensor_file.read(path) for path in (newest, folder / CHECKPOINTS / BEST)}
    of_arrays = {name: (digest(tensors), metadata["progress"]) for name, (tensors, metadata) in kept.items()}
    return {name: (folder / name).read_bytes() for name in (METRICS, SAMPLES, RUN_TOML)} | of_arrays


def comparable(summary: dict[str, Any]) -> dict[str, Any]:
    """Return a summary without its path, times and memory."""
    return {k: v for k, v in summary.items() if "second" not in k and k not in ("run", "peak_memory_bytes")}


@pytest.mark.parametrize("case", CASES)
def test_resume_after_stop_and_kill_gives_same_bytes(case: str) -> None:
    settings = CASES[case]
    unbroken = train_small("unbroken", **settings)
    with pytest.raises(Interrupted):
        train_small("broken", listeners=[stop_at(23)], **settings)
    with pytest.raises(Killed):
        resume_small("broken", settings.get("text", TEXT), checkpoint_every=0.0, listeners=[kill_at(60)])
    resumed = resume_small("broken", settings.get("text", TEXT), checkpoint_every=30.0)
    assert comparable(resumed.summary) == comparable(unbroken.summary)
    assert deterministic(resumed.folder) == deterministic(unbroken.folder)
    assert load("broken").sha256 == resumed.model.sha256 == unbroken.model.sha256


def stopped(folder: str = "here", update: int = 23, **settings: Any) -> Path:
    """Start a run and stop it near this update."""
    with pytest.raises(Interrupted):
        train_small(folder, listeners=[stop_at(update)], **settings)
    return Path(folder)


def test_interrupted_run_prints_resume_command() -> None:
    with pytest.raises(
        Interrupted, match=r"at update 30; .* saved in `my run`\. To resume: recurra train --resume --run 'my run'"
    ):
        train_small("my run", listeners=[stop_at(23)])


def test_resume_of_empty_directory_is_an_error() -> None:
    Path("here").mkdir()
    with pytest.raises(ModelError, match=r"`here` has no checkpoint to resume from\.") as caught:
        resume_small("here")
    hint = "train from the beginning: `recurra train TEXT --force --run here`."
    assert (caught.value.exit_code, caught.value.hint) == (4, hint)


@pytest.mark.parametrize("started_from_a_model", [False, True])
def test_kill_before_first_checkpoint_starts_from_update_0(started_from_a_model: bool) -> None:
    start = train_small("first", updates=20).model if started_from_a_model else None
    config, training = configs(SETTINGS)
    named: dict[str, Any] = {"start": start, "model": config, "training": training, "with_proof": False}
    unbroken = training_run.train(from_string(TEXT), run="unbroken", **named)

    def kill(event: Event) -> None:
        if isinstance(event, Sampled):
            raise Killed

    with pytest.raises(Killed):
        training_run.train(from_string(TEXT), run="here", listeners=[kill], **named)
    assert not list(Path("here", CHECKPOINTS).glob("update-*"))
    Path("here", CHECKPOINTS, "best-000000000000.safetensors").write_bytes(b"half a fi")
    with pytest.warns(UserWarning, match=r"`here` ended before its first checkpoint; training starts again from"):
        again = resume_small("here")
    assert deterministic(again.folder) == deterministic(unbroken.folder)
    assert [path.name for path in Path("here", CHECKPOINTS).glob("best*")] == [BEST]


def test_resume_after_early_kill_gives_same_bytes() -> None:
    with pytest.raises(Killed):
        train_small("here", listeners=[kill_at(23)])
    assert deterministic(resume_small("here").folder) == deterministic(train_small("unbroken").folder)


def test_run_with_removed_checkpoints_does_not_start_again() -> None:
    folder = train_small("here").folder
    for path in (folder / CHECKPOINTS).glob("update-*"):
        path.unlink()
    (folder / CHECKPOINTS / "latest.json").unlink()
    with pytest.raises(ModelError, match=r"`here` has no checkpoint to resume from\."):
        resume_small("here")
    assert load("here").sha256


@pytest.mark.parametrize("folder", ["none", "file"])
def test_missing_run_is_an_error(folder: str) -> None:
    Path("file").write_text("")
    with pytest.raises(ModelError, match=rf"there is no run `{folder}`\."):
        resume_small(folder)
    assert not Path("none").exists()


def test_resume_of_finished_run_changes_nothing_or_adds_updates() -> None:
    done = train_small("here")
    before = deterministic(done.folder)
    events: list[Event] = []
    again = resume_small("here", listeners=[events.append])
    assert events == [Finishing(100)]
    assert comparable(again.summary) == comparable(done.summary)
    assert again.summary["seconds"] == done.summary["seconds"]
    assert deterministic(done.folder) == before
    with pytest.raises(UsageError, match=r"`updates` must be at least 100, the number of completed updates; got 99\."):
        resume_small("here", updates=99)
    more = resume_small("here", updates=200)
    assert deterministic(more.folder) == deterministic(train_small("there", updates=200).folder)


def test_resume_after_zero_updates_gives_same_bytes() -> None:
    train_small("here", updates=0)
    resumed = resume_small("here", updates=100)
    assert deterministic(resumed.folder) == deterministic(train_small("there").folder)


def test_changed_settings_are_saved_in_run_toml() -> None:
    folder = stopped()
    with pytest.raises(Killed):
        resume_small(folder, learning_rate=0.05, keep=1, listeners=[kill_at(31)])
    table = tomllib.loads((folder / RUN_TOML).read_text())["training"]
    assert (table["learning_rate"], table["keep"], table["updates"]) == (0.05, 1, 100)
    resume_small(folder)
    assert {row["rate"] for row in rows(folder / METRICS)} == {float(np.float32(0.1)), float(np.float32(0.05))}
    assert [row["rate"] > 0.07 for row in rows(folder / METRICS)] == [True] * 3 + [False] * 7
    assert [path.name for path in (folder / CHECKPOINTS).glob("update-*")] == [LAST]
    with pytest.raises(UsageError, match="`hidden_size` of the run is 8, and cannot change when it is resumed; got 9"):
        resume_small(folder, hidden_size=9)


def test_edited_run_toml_changes_settings() -> None:
    folder = stopped()
    text = (folder / RUN_TOML).read_text()
    (folder / RUN_TOML).write_text(text.replace("seed = 0", "seed = 1"))
    with pytest.raises(UsageError, match="`seed` of the run is 0, and cannot change when it is resumed; got 1"):
        resume_small(folder)
    (folder / RUN_TOML).unlink()  # the checkpoint has all settings
    resumed = resume_small(folder)
    assert deterministic(resumed.folder) == deterministic(train_small("there").folder)


def test_resume_with_different_engine_gives_same_loss() -> None:
    for engine, other in (("reference", "compiled"), ("compiled", "reference")):
        for optimizer in ("adagrad", "adam"):
            folder = stopped(f"{engine}-{optimizer}", engine=engine, optimizer=optimizer, learning_rate=0.01)
            loss = resume_small(folder, engine=other).summary["smooth_loss"]
            whole = train_small(f"whole-{engine}-{optimizer}", engine=engine, optimizer=optimizer, learning_rate=0.01)
            assert loss == pytest.approx(whole.summary["smooth_loss"], rel=1e-4)


def test_seconds_and_summary_include_time_before_resume() -> None:
    folder = stopped()
    first = json.loads((folder / SUMMARY).read_text())["seconds"]
    summary = resume_small(folder).summary
    assert summary["seconds"] > first
    assert summary["updates_per_second"] == pytest.approx(100 / summary["seconds"])
    assert [row["update"] for row in rows(folder / TIMINGS)] == [30, 100]
    assert rows(folder / TIMINGS)[-1]["seconds"] > rows(folder / TIMINGS)[0]["seconds"]


def test_outdated_summary_is_removed_during_resumed_training() -> None:
    folder = stopped()
    with pytest.raises(Killed):
        resume_small(folder, listeners=[kill_at(40)])
    assert not (folder / SUMMARY).exists()


def test_resumed_run_keeps_its_start_model() -> None:
    start = train_small("first").model
    config, training = configs(SETTINGS | {"learning_rate": 0.02})
    named: dict[str, Any] = {"text": from_string(TEXT), "start": start, "model": config, "training": training}
    whole = training_run.train(run="whole", **named)
    with pytest.raises(Interrupted):
        training_run.train(run="here", listeners=[stop_at(23)], **named)
    again = training_run.resume("here", text=TEXT)
    assert again.summary["gradient_check"]["cells"] == whole.summary["gradient_check"]["cells"]
    assert deterministic(again.folder) == deterministic(whole.folder)


def test_loaded_model_is_average_of_parameters() -> None:
    run = train_small("here", ema=0.9, cell="gru", batch_size=2)
    assert load("here").sha256 == run.model.sha256
    assert (
        run.summary["model_sha256"] != run.model.sha256
    )  # this is the sha256 of the last parameters, not of their average


def from_file(path: str, content: str, **settings: Any) -> Path:
    """Start a run on a file and stop it at update 30."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(content)
    config, training = configs(SETTINGS | settings)
    with pytest.raises(Interrupted):
        training_run.train(read(path), model=config, training=training, run="here", listeners=[stop_at(23)])
    return Path("here")


def test_resume_reads_text_again() -> None:
    folder = from_file("bad.txt", TEXT)
    resumed = training_run.resume(folder, with_proof=False)
    expected = deterministic(train_small("there").folder)
    assert {**deterministic(resumed.folder), RUN_TOML: b""} == {**expected, RUN_TOML: b""}


def test_resume_reads_same_files_of_folder() -> None:
    Path("texts").mkdir()
    Path("texts/one.txt").write_text(TEXT[:100])
    Path("texts/two.txt").write_text(TEXT[100:])
    config, training = configs(SETTINGS)
    named: dict[str, Any] = {"model": config, "training": training, "with_proof": False}
    with pytest.raises(Interrupted):
        training_run.train(read("texts"), run="here", listeners=[stop_at(23)], **named)
    whole = training_run.train(read("texts"), run="there", **named)
    Path("texts/three.txt").write_text("not there at the beginning")
    assert deterministic(training_run.resume("here", with_proof=False).folder) == deterministic(whole.folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.unlink(), r"cannot be read again: .*bad\.txt is neither a book nor an existing file"),
        (lambda path: path.write_bytes(b"\xff"), r"cannot be read again: .*bad\.txt is not utf-8"),
        (lambda path: path.write_text(TEXT + "a"), "has changed: its sha256 is [0-9a-f]{64}, and was [0-9a-f]{64}"),
    ],
)
def test_resume_with_changed_text_is_an_error(change: Any, words: str) -> None:
    folder = from_file("bad.txt", TEXT)
    change(Path("bad.txt"))
    with pytest.raises(TextError, match=f"the text of the run {words}") as caught:
        training_run.resume(folder)
    assert caught.value.exit_code == 3
    assert str(caught.value.hint).startswith("pass the text: `recurra train TEXT --resume --run here`.")


def test_resume_needs_text_that_was_read_once() -> None:
    folder = stopped()
    with pytest.raises(TextError, match=r"the text of the run cannot be read again: it was a string\."):
        resume_small(folder, None)
    toml = (folder / RUN_TOML).read_text()
    (folder / RUN_TOML).write_text(toml.replace('    "text",\n', '    "-",\n'))
    with pytest.raises(TextError, match=r"the text of the run cannot be read again: it was standard input\."):
        resume_small(folder, None)
    (folder / RUN_TOML).unlink()
    with pytest.raises(TextError, match="cannot be read again: the run has no record of its files"):
        resume_small(folder, None)


@pytest.mark.parametrize("source", ['["bad.txt"]', '["../bad.txt", "kjv"]', "[7]", "[[]]", '"bad.txt"', "7"])
def test_untrusted_source_is_not_read(source: str) -> None:
    folder = from_file("bad.txt", TEXT)
    toml = (folder / RUN_TOML).read_text()
    (folder / RUN_TOML).write_text(re.sub(r"source = \[[^]]*\]", f"source = {source}", toml))
    with pytest.raises(TextError, match="cannot be read again: the run has no record of its files"):
        training_run.resume(folder)


def test_resume_with_different_encoding_is_refused() -> None:
    folder = from_file("bad.txt", TEXT)
    with pytest.raises(
        UsageError, match="`encoding` of the run is 'utf-8', and cannot change when it is resumed; got 'l"
    ):
        training_run.resume(folder, encoding="latin-1")
    assert training_run.resume(folder, encoding="UTF8", with_proof=False).summary["updates"] == 100
    with pytest.raises(TextError, match="reads characters, but the text consists of bytes"):
        training_run.resume(folder, "bad.txt", encoding="bytes")


def test_kill_after_change_of_text_keeps_new_text() -> None:
    folder = from_file("bad.txt", TEXT)
    Path("more.txt").write_text("dad bad a cab\n" * 30)
    with pytest.raises(Killed):
        training_run.resume(folder, "more.txt", listeners=[kill_at(40)])
    once_more = training_run.resume(folder, with_proof=False)
    assert load(folder).sha256 == once_more.model.sha256
    shutil.rmtree(folder)
    folder = from_file("bad.txt", TEXT)
    at_once = training_run.resume(folder, "more.txt", with_proof=False)
    assert comparable(once_more.summary) == comparable(at_once.summary)


@pytest.mark.parametrize("validation", [0.0, 0.2])
def test_different_text_is_read_from_its_beginning(validation: float) -> None:
    folder = from_file("bad.txt", TEXT, validation=validation, evaluate_every=20)
    Path("more.txt").write_text("dad had a cab\n".replace("h", "b") * 30)
    trainers: list[Any] = []
    run = training_run.resume(
        folder, "more.txt", with_proof=False, announce=lambda *arguments: trainers.append(arguments[2])
    )
    assert run.summary["updates"] == 100
    assert run.summary["epochs"] == pytest.approx(100 / trainers[0].stream.updates_per_epoch)
    assert trainers[0].stream.cursor == divmod(70, trainers[0].stream.updates_per_epoch)
    table = tomllib.loads((folder / RUN_TOML).read_text())["text"]
    assert (table["name"], table["source"]) == ("more", [str(Path("more.txt").absolute())])
    assert run.summary["best_update"] > 30
    resumed = training_run.resume(folder, with_proof=False, settings={"updates": 120})
    assert resumed.summary["updates"] == 120
    with pytest.raises(TextError, match="to start from lacks: 'x'"):
        training_run.resume(folder, text="xyz" * 99)


@pytest.mark.parametrize("settings", [{}, {"cell": "lstm", "batch_size": 3, "optimizer": "adam", "ema": 0.9}])
def test_extend_vocabulary_adds_new_characters(settings: dict[str, Any]) -> None:
    folder = from_file("bad.txt", TEXT, **settings)
    before = load(max((folder / CHECKPOINTS).glob("update-*")))
    started: list[dict[str, Any]] = []
    run = training_run.resume(
        folder,
        text=TEXT + "xyz zyx\n" * 40,
        extend_vocabulary=True,
        with_proof=False,
        settings={"updates": 600},
        announce=lambda *arguments: started.append(arguments[2].model().parameters),
    )
    assert run.model.vocabulary.symbols == "\n abcdexyz"
    known = slice(0, len(before.vocabulary))  # the new characters are last
    for name, axis in (("layers.0.U", 1), ("V", 0), ("c", 0)):
        assert np.array_equal(
            np.moveaxis(started[0][name], axis, 0)[known], np.moveaxis(before.parameters[name], axis, 0)
        )
    assert started[0]["c"][-1] < before.parameters["c"].min() - 20
    extended = load(max((folder / CHECKPOINTS).glob("update-*")))
    assert extended.score("xyz zyx\n" * 9).nats_per_character < 8
    again = training_run.resume(folder, text=TEXT + "xyz zyx\n" * 40, with_proof=False, settings={"updates": 610})
    assert again.summary["updates"] == 610


def test_extend_vocabulary_without_new_characters_changes_nothing() -> None:
    folder = from_file("bad.txt", TEXT)
    training_run.resume(folder, extend_vocabulary=True, with_proof=False)
    expected = deterministic(train_small("there").folder)
    assert {**deterministic(folder), RUN_TOML: b""} == {**expected, RUN_TOML: b""}


def test_resume_keeps_planned_updates_of_time_limit() -> None:
    config, training = configs(SETTINGS | {"updates": 100} | {"log_every": 10})
    training = dataclasses.replace(training, time_limit=60.0, max_epochs=3.0)
    with pytest.raises(Interrupted):
        training_run.train(from_string(TEXT), run="here", model=config, training=training, listeners=[stop_at(23)])
    updates = tomllib.loads(Path("here", RUN_TOML).read_text())["training"]["updates"]
    assert resume_small("here").summary["updates"] == updates == 114
    with pytest.raises(UsageError, match=r"`time_limit` of the run is 60\.0, .* got 120\.0") as caught:
        resume_small("here", time_limit="2m")
    assert "give `--updates` to train longer" in str(caught.value.hint)


def test_resume_from_older_checkpoint_gives_same_bytes() -> None:
    train_small("here", checkpoint_every=0.0, updates=60)
    path = Path("here", CHECKPOINTS, "update-000000000060.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(UserWarning, match=r"is damaged.*recurra tries the previous checkpoint\."):
        resumed = resume_small("here", updates=100, checkpoint_every=30.0)
    assert deterministic(resumed.folder) == deterministic(train_small("there").folder)

"""A training that stopped and goes on: the same bits as one that never did, whatever it is and wherever it stopped."""

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
    "its lowest loss is early": {"text": "ab" * 200 + TEXT, "updates": 150},
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
    """A listener that stops the training there."""

    def listen(event: Event) -> None:
        if isinstance(event, Progress) and event.update >= update:
            os.kill(os.getpid(), signal.SIGTERM)

    return listen


class Killed(BaseException):
    """What no code of ours catches."""


def kill_at(update: int) -> Any:
    """A listener that ends the training there as if the process were killed, but for a checkpoint being written."""

    def listen(event: Event) -> None:
        if isinstance(event, Progress) and event.update >= update:
            raise Killed

    return listen


def lasting(folder: Path) -> dict[str, Any]:
    """What of a run is a function of its settings and its text alone, by name."""
    newest = max((folder / CHECKPOINTS).glob("update-*"))
    kept = {path.name: tensor_file.read(path) for path in (newest, folder / CHECKPOINTS / BEST)}
    of_arrays = {name: (digest(tensors), metadata["progress"]) for name, (tensors, metadata) in kept.items()}
    return {name: (folder / name).read_bytes() for name in (METRICS, SAMPLES, RUN_TOML)} | of_arrays


def same_course(summary: dict[str, Any]) -> dict[str, Any]:
    """The summary without where and when."""
    return {k: v for k, v in summary.items() if "second" not in k and k not in ("run", "peak_memory_bytes")}


@pytest.mark.parametrize("case", CASES)
def test_a_resumed_run_is_the_run_that_never_stopped(case: str) -> None:
    settings = CASES[case]
    unbroken = train_small("unbroken", **settings)
    with pytest.raises(Interrupted):
        train_small("broken", listeners=[stop_at(23)], **settings)
    with pytest.raises(Killed):
        resume_small("broken", settings.get("text", TEXT), checkpoint_every=0.0, listeners=[kill_at(60)])
    resumed = resume_small("broken", settings.get("text", TEXT), checkpoint_every=30.0)
    assert same_course(resumed.summary) == same_course(unbroken.summary)
    assert lasting(resumed.folder) == lasting(unbroken.folder)
    assert load("broken").sha256 == resumed.model.sha256 == unbroken.model.sha256


def stopped(folder: str = "here", update: int = 23, **settings: Any) -> Path:
    """A run that was stopped at about that update."""
    with pytest.raises(Interrupted):
        train_small(folder, listeners=[stop_at(update)], **settings)
    return Path(folder)


def test_an_interrupted_run_says_how_to_go_on() -> None:
    with pytest.raises(
        Interrupted, match=r"at update 30; .* saved in `my run`\. To go on: recurra train --resume --run 'my run'"
    ):
        train_small("my run", listeners=[stop_at(23)])


def test_a_kill_before_anything_is_saved() -> None:
    Path("here").mkdir()
    with pytest.raises(ModelError, match=r"`here` has no checkpoint to go on from\.") as caught:
        resume_small("here")
    assert (caught.value.exit_code, caught.value.hint) == (4, "leave out `--resume`: `--force` trains there anew.")


@pytest.mark.parametrize("started_from_a_model", [False, True])
def test_a_kill_before_the_first_checkpoint_begins_again(started_from_a_model: bool) -> None:
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
    assert lasting(again.folder) == lasting(unbroken.folder)
    assert [path.name for path in Path("here", CHECKPOINTS).glob("best*")] == [BEST]


def test_a_kill_soon_after_the_beginning_costs_nothing_but_time() -> None:
    with pytest.raises(Killed):
        train_small("here", listeners=[kill_at(23)])
    assert lasting(resume_small("here").folder) == lasting(train_small("unbroken").folder)


def test_a_run_whose_checkpoints_were_removed_does_not_begin_again() -> None:
    folder = train_small("here").folder
    for path in (folder / CHECKPOINTS).glob("update-*"):
        path.unlink()
    (folder / CHECKPOINTS / "latest.json").unlink()
    with pytest.raises(ModelError, match=r"`here` has no checkpoint to go on from\."):
        resume_small("here")
    assert load("here").sha256


@pytest.mark.parametrize("folder", ["none", "file"])
def test_a_run_that_is_none(folder: str) -> None:
    Path("file").write_text("")
    with pytest.raises(ModelError, match=rf"there is no run `{folder}`\."):
        resume_small(folder)
    assert not Path("none").exists()


def test_a_run_that_is_done_stays_as_it_is_and_more_updates_go_on() -> None:
    done = train_small("here")
    before = lasting(done.folder)
    heard: list[Event] = []
    again = resume_small("here", listeners=[heard.append])
    assert heard == [Finishing(100)]
    assert same_course(again.summary) == same_course(done.summary)
    assert again.summary["seconds"] == done.summary["seconds"]
    assert lasting(done.folder) == before
    with pytest.raises(UsageError, match=r"`updates` must be at least 100, as many as are done; got 99\."):
        resume_small("here", updates=99)
    more = resume_small("here", updates=200)
    assert lasting(more.folder) == lasting(train_small("there", updates=200).folder)


def test_no_updates_and_then_some() -> None:
    train_small("here", updates=0)
    resumed = resume_small("here", updates=100)
    assert lasting(resumed.folder) == lasting(train_small("there").folder)


def test_settings_that_changed_stand_in_run_toml_and_stay() -> None:
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


def test_settings_changed_by_hand_in_run_toml() -> None:
    folder = stopped()
    text = (folder / RUN_TOML).read_text()
    (folder / RUN_TOML).write_text(text.replace("seed = 0", "seed = 1"))
    with pytest.raises(UsageError, match="`seed` of the run is 0, and cannot change when it is resumed; got 1"):
        resume_small(folder)
    (folder / RUN_TOML).unlink()  # the checkpoint has them all
    resumed = resume_small(folder)
    assert lasting(resumed.folder) == lasting(train_small("there").folder)


def test_another_engine_may_go_on() -> None:
    for engine, other in (("reference", "compiled"), ("compiled", "reference")):
        for optimizer in ("adagrad", "adam"):
            folder = stopped(f"{engine}-{optimizer}", engine=engine, optimizer=optimizer, learning_rate=0.01)
            found = resume_small(folder, engine=other).summary["smooth_loss"]
            whole = train_small(f"whole-{engine}-{optimizer}", engine=engine, optimizer=optimizer, learning_rate=0.01)
            assert found == pytest.approx(whole.summary["smooth_loss"], rel=1e-4)


def test_time_goes_on_and_the_summary_is_that_of_all() -> None:
    folder = stopped()
    first = json.loads((folder / SUMMARY).read_text())["seconds"]
    summary = resume_small(folder).summary
    assert summary["seconds"] > first
    assert summary["updates_per_second"] == pytest.approx(100 / summary["seconds"])
    assert [row["update"] for row in rows(folder / TIMINGS)] == [30, 100]
    assert rows(folder / TIMINGS)[-1]["seconds"] > rows(folder / TIMINGS)[0]["seconds"]


def test_a_summary_that_no_longer_holds_is_gone_while_training_goes_on() -> None:
    folder = stopped()
    with pytest.raises(Killed):
        resume_small(folder, listeners=[kill_at(40)])
    assert not (folder / SUMMARY).exists()


def test_a_run_from_a_model_keeps_its_beginning() -> None:
    start = train_small("first").model
    config, training = configs(SETTINGS | {"learning_rate": 0.02})
    named: dict[str, Any] = {"text": from_string(TEXT), "start": start, "model": config, "training": training}
    whole = training_run.train(run="whole", **named)
    with pytest.raises(Interrupted):
        training_run.train(run="here", listeners=[stop_at(23)], **named)
    again = training_run.resume("here", text=TEXT)
    assert again.summary["gradient_check"]["cells"] == whole.summary["gradient_check"]["cells"]
    assert lasting(again.folder) == lasting(whole.folder)


def test_the_average_is_the_model_that_is_loaded() -> None:
    run = train_small("here", ema=0.9, cell="gru", batch_size=2)
    assert load("here").sha256 == run.model.sha256
    assert run.summary["model_sha256"] != run.model.sha256  # which is of the newest parameters


def from_file(path: str, content: str, **settings: Any) -> Path:
    """A run on a file that was stopped."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(content)
    config, training = configs(SETTINGS | settings)
    with pytest.raises(Interrupted):
        training_run.train(read(path), model=config, training=training, run="here", listeners=[stop_at(23)])
    return Path("here")


def test_the_text_is_read_again() -> None:
    folder = from_file("bad.txt", TEXT)
    resumed = training_run.resume(folder, with_proof=False)
    expected = lasting(train_small("there").folder)
    assert {**lasting(resumed.folder), RUN_TOML: b""} == {**expected, RUN_TOML: b""}


def test_a_folder_is_read_again_as_its_files() -> None:
    Path("texts").mkdir()
    Path("texts/one.txt").write_text(TEXT[:100])
    Path("texts/two.txt").write_text(TEXT[100:])
    config, training = configs(SETTINGS)
    named: dict[str, Any] = {"model": config, "training": training, "with_proof": False}
    with pytest.raises(Interrupted):
        training_run.train(read("texts"), run="here", listeners=[stop_at(23)], **named)
    whole = training_run.train(read("texts"), run="there", **named)
    Path("texts/three.txt").write_text("not there at the beginning")
    assert lasting(training_run.resume("here", with_proof=False).folder) == lasting(whole.folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.unlink(), r"cannot be read again: .*bad\.txt is neither a book nor an existing file"),
        (lambda path: path.write_bytes(b"\xff"), r"cannot be read again: .*bad\.txt is not utf-8"),
        (lambda path: path.write_text(TEXT + "a"), "has changed: its sha256 is [0-9a-f]{64}, and was [0-9a-f]{64}"),
    ],
)
def test_a_text_that_is_no_longer_what_it_was(change: Any, words: str) -> None:
    folder = from_file("bad.txt", TEXT)
    change(Path("bad.txt"))
    with pytest.raises(TextError, match=f"the text of the run {words}") as caught:
        training_run.resume(folder)
    assert caught.value.exit_code == 3
    assert "give the text itself: it may be another one of the same characters" in str(caught.value.hint)


def test_texts_that_cannot_be_read_again() -> None:
    folder = stopped()
    with pytest.raises(TextError, match=r"the text of the run cannot be read again: it was a string\."):
        resume_small(folder, None)
    toml = (folder / RUN_TOML).read_text()
    (folder / RUN_TOML).write_text(toml.replace('    "text",\n', '    "-",\n'))
    with pytest.raises(TextError, match=r"the text of the run cannot be read again: it was standard input\."):
        resume_small(folder, None)
    (folder / RUN_TOML).unlink()
    with pytest.raises(TextError, match="cannot be read again: where it was read is not known"):
        resume_small(folder, None)


@pytest.mark.parametrize("source", ['["bad.txt"]', '["../bad.txt", "kjv"]', "[7]", "[[]]", '"bad.txt"', "7"])
def test_a_place_that_no_run_writes_is_not_read(source: str) -> None:
    folder = from_file("bad.txt", TEXT)
    toml = (folder / RUN_TOML).read_text()
    (folder / RUN_TOML).write_text(re.sub(r"source = \[[^]]*\]", f"source = {source}", toml))
    with pytest.raises(TextError, match="cannot be read again: where it was read is not known"):
        training_run.resume(folder)


def test_another_encoding_is_no_way_to_go_on() -> None:
    folder = from_file("bad.txt", TEXT)
    with pytest.raises(
        UsageError, match="`encoding` of the run is 'utf-8', and cannot change when it is resumed; got 'l"
    ):
        training_run.resume(folder, encoding="latin-1")
    assert training_run.resume(folder, encoding="UTF8", with_proof=False).summary["updates"] == 100
    with pytest.raises(TextError, match="reads characters, the text is the other kind"):
        training_run.resume(folder, "bad.txt", encoding="bytes")


def test_another_text_that_was_begun_before_a_checkpoint_knew_of_it() -> None:
    folder = from_file("bad.txt", TEXT)
    Path("more.txt").write_text("dad bad a cab\n" * 30)
    with pytest.raises(Killed):
        training_run.resume(folder, "more.txt", listeners=[kill_at(40)])
    once_more = training_run.resume(folder, with_proof=False)
    assert load(folder).sha256 == once_more.model.sha256
    shutil.rmtree(folder)
    folder = from_file("bad.txt", TEXT)
    at_once = training_run.resume(folder, "more.txt", with_proof=False)
    assert same_course(once_more.summary) == same_course(at_once.summary)


@pytest.mark.parametrize("validation", [0.0, 0.2])
def test_another_text_of_the_same_characters_is_read_from_its_beginning(validation: float) -> None:
    folder = from_file("bad.txt", TEXT, validation=validation, evaluate_every=20)
    Path("more.txt").write_text("dad had a cab\n".replace("h", "b") * 30)
    trainers: list[Any] = []
    run = training_run.resume(folder, "more.txt", with_proof=False, announce=lambda *told: trainers.append(told[2]))
    assert run.summary["updates"] == 100
    assert run.summary["epochs"] == pytest.approx(100 / trainers[0].stream.updates_per_epoch)
    assert trainers[0].stream.cursor == divmod(70, trainers[0].stream.updates_per_epoch)
    table = tomllib.loads((folder / RUN_TOML).read_text())["text"]
    assert (table["name"], table["source"]) == ("more", [str(Path("more.txt").absolute())])
    assert run.summary["best_update"] > 30
    resumed = training_run.resume(folder, with_proof=False, settings={"updates": 120})
    assert resumed.summary["updates"] == 120
    with pytest.raises(TextError, match="does not know 'x'"):
        training_run.resume(folder, text="xyz" * 99)


@pytest.mark.parametrize("settings", [{}, {"cell": "lstm", "batch_size": 3, "optimizer": "adam", "ema": 0.9}])
def test_a_resumed_run_may_learn_new_characters(settings: dict[str, Any]) -> None:
    folder = from_file("bad.txt", TEXT, **settings)
    before = load(max((folder / CHECKPOINTS).glob("update-*")))
    started: list[dict[str, Any]] = []
    run = training_run.resume(
        folder,
        text=TEXT + "xyz zyx\n" * 40,
        extend_vocabulary=True,
        with_proof=False,
        settings={"updates": 600},
        announce=lambda *told: started.append(told[2].model().parameters),
    )
    assert run.model.vocabulary.symbols == "\n abcdexyz"
    known = slice(0, len(before.vocabulary))  # the new ones come behind
    for name, axis in (("layers.0.U", 1), ("V", 0), ("c", 0)):
        assert np.array_equal(
            np.moveaxis(started[0][name], axis, 0)[known], np.moveaxis(before.parameters[name], axis, 0)
        )
    assert started[0]["c"][-1] < before.parameters["c"].min() - 20
    learned = load(max((folder / CHECKPOINTS).glob("update-*")))
    assert learned.score("xyz zyx\n" * 9).nats_per_character < 8
    again = training_run.resume(folder, text=TEXT + "xyz zyx\n" * 40, with_proof=False, settings={"updates": 610})
    assert again.summary["updates"] == 610


def test_a_resumed_run_that_knows_all_characters_already_learns_none() -> None:
    folder = from_file("bad.txt", TEXT)
    training_run.resume(folder, extend_vocabulary=True, with_proof=False)
    expected = lasting(train_small("there").folder)
    assert {**lasting(folder), RUN_TOML: b""} == {**expected, RUN_TOML: b""}


def test_a_time_limit_stays_the_updates_that_it_became() -> None:
    config, training = configs(SETTINGS | {"updates": 100} | {"log_every": 10})
    training = dataclasses.replace(training, time_limit=60.0, max_epochs=3.0)
    with pytest.raises(Interrupted):
        training_run.train(from_string(TEXT), run="here", model=config, training=training, listeners=[stop_at(23)])
    updates = tomllib.loads(Path("here", RUN_TOML).read_text())["training"]["updates"]
    assert resume_small("here").summary["updates"] == updates == 114
    with pytest.raises(UsageError, match=r"`time_limit` of the run is 60\.0, .* got 120\.0") as caught:
        resume_small("here", time_limit="2m")
    assert "give `--updates` to train longer" in str(caught.value.hint)


def test_a_damaged_newest_checkpoint_costs_nothing_but_time() -> None:
    train_small("here", checkpoint_every=0.0, updates=60)
    path = Path("here", CHECKPOINTS, "update-000000000060.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="is damaged.*the one before is used"):
        resumed = resume_small("here", updates=100, checkpoint_every=30.0)
    assert lasting(resumed.folder) == lasting(train_small("there").folder)

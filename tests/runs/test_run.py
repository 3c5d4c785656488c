"""The run directory: its name, files and summary, and the ends of a run by signals, errors and full disks."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra.config import ModelConfig, TrainingConfig, configs
from recurra.engines.fused import FusedEngine
from recurra.errors import Interrupted, NumericalError, StorageError, TextError, UsageError
from recurra.inference.baselines import baselines
from recurra.io import atomic_write, tensor_file
from recurra.model import LanguageModel
from recurra.network.parameters import digest, initialize
from recurra.runs import run as training_run
from recurra.runs import summary as training_summary
from recurra.runs.layout import BEST, CHECKPOINTS, FILES, LATEST, METRICS, RUNS, SAMPLES, SUMMARY, TIMINGS
from recurra.runs.layout import SETTINGS as RUN_TOML
from recurra.runs.logs import Logs
from recurra.runs.records import load as load_report
from recurra.runs.recovery import recover
from recurra.runs.run_directory import create_folder
from recurra.runs.saved_model import load
from recurra.system.signals import STOPS
from recurra.text import id_file, long_text
from recurra.text.reading import from_string, read
from recurra.text.splits import read_text
from recurra.training.events import Checkpointed, Evaluated, Event, Finishing, Progress, Record, Sampled, Saving
from recurra.training.trainer import Trainer
from recurra.web import panel_data
from small_training import PACKAGE, SETTINGS, TEXT, K, T, all_bytes, resume_small, rows, train_small

JSON_KEYS = {
    "run", "cell", "parameters", "updates", "epochs", "characters_per_update", "updates_per_second",
    "characters_per_second", "smooth_loss", "best_smooth_loss", "best_update", "epoch_mean_nats_per_character",
    "validation_nats_per_character", "model_sha256", "seconds",
}  # fmt: skip
FIRST, LAST = "update-000000000000.safetensors", "update-000000000100.safetensors"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_run_directory_has_all_files() -> None:
    run = train_small()
    assert run.folder == RUNS / "text"
    assert names(run.folder) == sorted([CHECKPOINTS, METRICS, RUN_TOML, SAMPLES, SUMMARY, TIMINGS])
    assert names(run.folder / CHECKPOINTS) == [BEST, LATEST, FIRST, LAST]
    assert json.loads((run.folder / SUMMARY).read_text()) == run.summary
    assert load(run.folder).sha256 == run.model.sha256


def test_runs_of_one_name_are_numbered() -> None:
    assert [str(train_small(updates=0).folder) for _ in range(3)] == ["runs/text", "runs/text-2", "runs/text-3"]
    Path("runs/text-4").write_text("a file")
    assert train_small(updates=0).folder == Path("runs/text-5")


def test_run_is_named_after_text() -> None:
    Path("my book.txt").write_text(TEXT)
    training = TrainingConfig(updates=0, sequence_length=T)
    run = training_run.train(read("my book.txt"), model=ModelConfig(hidden_size=8), training=training)
    assert run.folder == Path("runs/my-book")


def test_two_processes_do_not_share_run_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("runs/text", "runs/text-2"):  # the first is still empty
        with create_folder(None, "text", force=False) as folder:
            assert folder == Path(name)


def test_existing_run_is_refused_and_unchanged() -> None:
    folder = train_small("here").folder
    before = all_bytes(folder)
    with pytest.raises(UsageError, match=r"`here` is not empty\.") as caught:
        train_small("here")
    assert caught.value.exit_code == 2
    hint = "`--resume` resumes the run in it, `--force` replaces it, `--run` chooses another folder."
    assert caught.value.hint == hint
    assert all_bytes(folder) == before


def test_empty_folder_is_accepted() -> None:
    Path("a/b").mkdir(parents=True)
    assert train_small("a/b", updates=0).folder == Path("a/b")
    assert train_small("a/new/one", updates=0).folder == Path("a/new/one")


def test_force_removes_only_files_of_run() -> None:
    folder = train_small("here", seed=1, updates=200).folder
    (folder / "report.html").write_text("old")
    (folder / f"{atomic_write.STAGING}1-0").write_text("left by a crash")
    mine = {"notes.txt": b"mine", f"{CHECKPOINTS}/favorite.safetensors": b"mine", "figures/loss.png": b"mine"}
    (folder / "figures").mkdir()
    for name, data in mine.items():
        (folder / name).write_bytes(data)
    train_small("here", force=True)
    train_small("fresh")
    forced, fresh = all_bytes(folder), all_bytes(Path("fresh"))
    assert {name: forced.pop(name) for name in mine} == mine
    assert set(forced) == set(fresh)
    same = set(fresh) - {SUMMARY, TIMINGS}
    assert {name: forced[name] for name in same} == {name: fresh[name] for name in same}
    assert (folder / RUN_TOML).read_text() == Path("fresh", RUN_TOML).read_text()


def test_force_replaces_run_of_default_name() -> None:
    assert train_small(updates=0).folder == train_small(updates=0, force=True).folder == Path("runs/text")
    assert names(RUNS) == ["text"]


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"layers": 65}, UsageError),
        ({"sequence_length": 1000}, TextError),
        ({"initial_scale": 1e39}, NumericalError),
    ],
)
def test_invalid_settings_keep_old_run_and_create_no_folder(settings: dict[str, Any], error: type) -> None:
    before = all_bytes(train_small("here").folder)
    with pytest.raises(error):
        train_small("here", force=True, **settings)
    assert all_bytes(Path("here")) == before
    with pytest.raises(error):
        train_small("there", **settings)
    with pytest.raises(error):
        train_small(**settings)
    assert names(Path()) == ["here"]


def test_run_directory_that_cannot_be_created_is_an_error() -> None:
    Path("file").write_text("")
    with pytest.raises(UsageError, match=r"`file` is not a folder\."):
        train_small("file", force=True)
    with pytest.raises(StorageError, match=r"cannot write `file/run`: `file` is a file, not a folder\.") as caught:
        train_small("file/run")
    assert caught.value.exit_code == 7
    with pytest.raises(StorageError, match="File name too long"):
        train_small("x" * 5000)
    Path("runs").write_text("")
    with pytest.raises(StorageError, match=r"cannot write `runs/text`: File exists\."):
        train_small()


def test_run_toml_has_settings_text_and_versions() -> None:
    from_file = Path("bad.txt")
    from_file.write_bytes(TEXT.replace("\n", "\r\n").encode())
    training = TrainingConfig(updates=0, sequence_length=T, seed=3, validation=0.2)
    run = training_run.train(read("bad.txt"), model=ModelConfig(hidden_size=8), training=training, with_proof=False)
    table = tomllib.loads((run.folder / RUN_TOML).read_text(encoding="utf-8"))
    assert table["training"] == training.to_table()
    assert table["model"] == run.model.config.to_table() | {"parameters": 191}
    text = table["text"]
    assert (text["name"], text["encoding"], text["characters"], text["symbols"]) == ("bad", "utf-8", len(TEXT), K)
    assert text["sha256"] == hashlib.sha256(TEXT.encode()).hexdigest()
    assert text["source"] == [str(from_file.absolute())]
    assert any("CRLF" in note for note in text["notes"])
    assert "the vocabulary is that of the whole text, a held-out part included" in text["notes"]
    assert {"python", "recurra", "numpy", "numba", "llvmlite", "safetensors"} <= set(table["versions"])
    assert table["versions"]["numpy"] == np.__version__
    assert set(table["machine"]) == {"system", "cpu", "cores"}
    assert table["engine"] == {"name": "compiled", "device": "cpu", "processes": 1}
    assert ModelConfig.from_table({n: v for n, v in table["model"].items() if n != "parameters"}) == run.model.config
    assert TrainingConfig.from_table(table["training"]) == training


def test_checkpoint_has_settings_but_no_paths() -> None:
    Path("secret-plans").mkdir()
    Path("secret-plans/book.txt").write_text(TEXT)
    training = TrainingConfig(updates=0, sequence_length=T)
    run = training_run.train(read("secret-plans/book.txt"), model=ModelConfig(hidden_size=8), training=training)
    path = run.folder / CHECKPOINTS / BEST
    _, metadata = tensor_file.read(path)
    assert metadata["training"] == training.to_table()
    assert metadata["text"]["sha256"] == hashlib.sha256(TEXT.encode()).hexdigest()
    assert b"secret-plans" not in path.read_bytes()


def test_metrics_have_every_key_and_record() -> None:
    events: list[Event] = []
    run = train_small(validation=0.2, evaluate_every=20, listeners=[events.append])
    metrics = rows(run.folder / METRICS)
    keys = ["update", "epoch", "loss", "smooth_loss", "validation", "rate", "gradient_norm"]
    assert [list(row) for row in metrics] == [keys] * 10
    assert [list(row["loss"]) for row in metrics] == [["mean", "min", "max"]] * 10
    assert [row["update"] for row in metrics] == list(range(10, 101, 10))
    assert [row["validation"] is None for row in metrics] == [True, False] * 5
    assert metrics[0]["loss"]["mean"] == pytest.approx(T * math.log(K), rel=0.1)
    records = [event for event in events if isinstance(event, Record)]
    assert [row["smooth_loss"] for row in metrics] == [record.smooth_loss for record in records]


def test_metrics_have_every_evaluation() -> None:
    events: list[Event] = []
    run = train_small(validation=0.2, listeners=[events.append])  # 30 updates per epoch, a record every 10
    other = train_small("other", validation=0.2, log_every=100)
    evaluated = {event.update: event.validation for event in events if isinstance(event, Evaluated)}
    assert list(evaluated) == [30, 60, 90, 100]
    for folder in (run.folder, other.folder):
        metrics = rows(folder / METRICS)
        assert {row["update"]: row["validation"] for row in metrics if row["validation"] is not None} == evaluated
        read = load_report(folder)
        shown = panel_data.columns(read.records, read.span)
        assert shown["scoredAt"] == list(evaluated)
        assert shown["scored"] == pytest.approx([loss / math.log(2) for loss in evaluated.values()], rel=1e-5)


def test_metrics_and_samples_depend_only_on_settings_and_text() -> None:
    first, second = train_small("a", validation=0.2), train_small("b", validation=0.2, checkpoint_every=0.0, keep=1)
    for name in (METRICS, SAMPLES):
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()
    other = train_small("c", validation=0.2, seed=1)
    assert (first.folder / METRICS).read_bytes() != (other.folder / METRICS).read_bytes()


@pytest.mark.parametrize("settings", [{}, {"engine": "reference"}, {"layers": 2, "batch_size": 3}])
def test_same_settings_give_same_model(settings: dict[str, Any]) -> None:
    first, second = train_small("a", **settings), train_small("b", **settings)
    assert first.summary["model_sha256"] == second.summary["model_sha256"]
    assert first.model.sha256 == second.model.sha256
    assert train_small("c", seed=1, **settings).summary["model_sha256"] != first.summary["model_sha256"]
    for name in (LAST, BEST):
        contents = [(run.folder / CHECKPOINTS / name).read_bytes() for run in (first, second)]
        assert contents[0] == contents[1]
    expected = settings.get("engine", "compiled")
    assert tomllib.loads((first.folder / RUN_TOML).read_text())["engine"]["name"] == expected


def test_samples_are_written_at_start_and_every_n_updates() -> None:
    run = train_small(sample_every=25, text=TEXT + "é" * 7, seed=3)
    samples = rows(run.folder / SAMPLES)
    assert [list(row) for row in samples] == [["update", "temperature", "seed", "text"]] * 5
    assert [row["update"] for row in samples] == [0, 25, 50, 75, 100]
    assert [row["seed"] for row in samples] == [3, 28, 53, 78, 103]
    assert {len(row["text"]) for row in samples} == {12}
    assert run.summary["final_sample"][:12] == samples[-1]["text"]


def test_timings_have_speed_and_memory() -> None:
    (row,) = rows(train_small().folder / TIMINGS)
    assert list(row) == ["update", "seconds", "updates_per_second", "peak_memory_bytes"]
    assert row["update"] == 100
    assert row["seconds"] > 0
    assert row["updates_per_second"] == pytest.approx(100 / row["seconds"])
    assert row["peak_memory_bytes"] > 1_000_000


def test_timings_are_written_once_a_second(tmp_path: Path) -> None:
    files = Logs(tmp_path)
    for update, seconds in ((1, 0.5), (2, 1.1), (3, 1.5), (4, 2.2), (5, 2.3)):
        files(Progress(update, 5, 1.0, seconds))
    files(Saving(5, 2.4))
    assert [row["update"] for row in rows(tmp_path / TIMINGS)] == [2, 4, 5]


def test_newest_checkpoints_and_best_are_kept() -> None:
    run = train_small(checkpoint_every=0.0, keep=2)
    kept = ["update-000000000090.safetensors", LAST]
    assert names(run.folder / CHECKPOINTS) == [BEST, LATEST, *kept]
    latest = json.loads((run.folder / CHECKPOINTS / LATEST).read_text())
    assert (latest["file"], latest["update"]) == (LAST, 100)
    assert latest["sha256"] == tensor_file.read(run.folder / CHECKPOINTS / LAST)[1]["sha256"]


def test_summary_has_every_documented_key() -> None:
    run = train_small(with_proof=True)
    summary = run.summary
    assert set(summary) >= JSON_KEYS
    epoch = (len(TEXT) - 1) // T
    assert (summary["run"], summary["cell"], summary["parameters"]) == ("runs/text", "elman", 191)
    assert (summary["updates"], summary["characters_per_update"]) == (100, T)
    assert summary["epochs"] == pytest.approx(100 / epoch)
    assert summary["updates_per_second"] == pytest.approx(100 / summary["seconds"])
    assert summary["characters_per_second"] == pytest.approx(T * summary["updates_per_second"])
    metrics = rows(run.folder / METRICS)
    assert summary["smooth_loss"] == metrics[-1]["smooth_loss"]
    lowest = min(metrics, key=lambda row: row["smooth_loss"])
    assert (summary["best_smooth_loss"], summary["best_update"]) == (lowest["smooth_loss"], lowest["update"])
    means = summary["epoch_means"]
    assert [mean["epoch"] for mean in means] == [1, 2]
    assert summary["epoch_mean_nats_per_character"] == means[1]["nats_per_character"] < means[0]["nats_per_character"]
    assert summary["validation_nats_per_character"] is None
    last = tensor_file.read(run.folder / CHECKPOINTS / LAST)[0]
    parameters = {name.removeprefix("parameters."): a for name, a in last.items() if name.startswith("parameters.")}
    assert summary["model_sha256"] == digest(parameters)
    assert summary["baselines"] == baselines(TEXT)
    assert summary["held_out_baselines"] is None
    assert len(summary["best_sample"]) == len(summary["final_sample"]) == 1000
    assert summary["gradient_check"]["passed"] is True
    assert set(summary["gradient_check"]["cells"]["elman"]) == {"U", "W", "b", "V", "c", "h0", "x"}


def test_summary_of_run_with_held_out_part() -> None:
    run = train_small(validation=0.25, evaluate_every=10)
    train, held_out = TEXT[: len(TEXT) * 3 // 4], TEXT[len(TEXT) * 3 // 4 :]
    summary, metrics = run.summary, rows(run.folder / METRICS)
    lowest = min(metrics, key=lambda row: row["validation"])
    assert summary["validation_nats_per_character"] == lowest["validation"]
    assert summary["validation_bits_per_character"] == pytest.approx(lowest["validation"] / math.log(2))
    assert summary["best_update"] == lowest["update"]
    assert run.model.evaluate(run.model.vocabulary.encode(held_out)) == lowest["validation"]
    assert summary["baselines"] == baselines(train)
    assert summary["held_out_baselines"] == baselines(held_out)


def test_incomplete_epoch_has_no_mean() -> None:
    summary = train_small(updates=20).summary
    assert (summary["epoch_mean_nats_per_character"], summary["epoch_means"]) == (None, [])


def test_zero_updates_write_initial_model() -> None:
    run = train_small(updates=0, with_proof=True)
    initial = initialize(ModelConfig(hidden_size=8), K, seed=0)
    assert run.summary["model_sha256"] == run.model.sha256 == digest(initial)
    assert load(run.folder).sha256 == digest(initial)
    assert names(run.folder / CHECKPOINTS) == [BEST, LATEST, FIRST]
    none = ("smooth_loss", "best_smooth_loss", "epoch_mean_nats_per_character", "gradient_check")
    assert [run.summary[name] for name in none] == [None] * 4
    assert (run.summary["updates"], run.summary["updates_per_second"], run.summary["best_update"]) == (0, 0, 0)
    assert rows(run.folder / METRICS) == []
    assert [row["update"] for row in rows(run.folder / SAMPLES)] == [0]


def test_large_network_is_not_checked_at_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_summary, "PROOF_LIMIT", 190)
    assert train_small(with_proof=True).summary["gradient_check"] is None


def test_byte_model_is_trained() -> None:
    training = TrainingConfig(updates=20, sequence_length=T, sample_length=9)
    text = from_string("é😀 " * 20, encoding="bytes")
    run = training_run.train(text, model=ModelConfig(hidden_size=8), training=training, with_proof=False)
    assert run.model.vocabulary.is_bytes
    assert load(run.folder).vocabulary.is_bytes
    table = tomllib.loads((run.folder / RUN_TOML).read_text())["text"]
    assert (table["encoding"], table["characters"], table["symbols"]) == ("bytes", 140, 256)


@pytest.mark.parametrize(
    "settings", [{}, {"validation": 0.3, "evaluate_every": 10}, {"cell": "lstm", "batch_size": 3, "validation": 0.3}]
)
def test_text_in_id_file_gives_same_results_as_in_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: dict[str, Any]
) -> None:
    book = Path("book.txt")
    book.write_text(TEXT * 20)
    short = train_small(**settings, text=TEXT * 20, with_proof=True)
    monkeypatch.setattr(id_file, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(long_text, "IN_MEMORY", 100)
    monkeypatch.setattr(id_file, "READ_BLOCK_IDS", 100)
    config, training = configs(SETTINGS | settings)
    long = training_run.train(read(book), model=config, training=training)
    assert list((tmp_path / "cache").glob("*.ids"))
    timed = {"run", "seconds", "updates_per_second", "characters_per_second", "peak_memory_bytes", "gradient_check"}
    for summary in (short.summary, long.summary):
        assert summary["gradient_check"]["passed"]
    assert {k: v for k, v in long.summary.items() if k not in timed} == {
        k: v for k, v in short.summary.items() if k not in timed
    }
    texts = [tomllib.loads((run.folder / RUN_TOML).read_text())["text"] for run in (short, long)]
    assert texts[0] | {"name": "", "source": []} == texts[1] | {"name": "", "source": []}


def test_baselines_of_long_text_are_of_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    assert train_small(validation=0.25).summary["baseline_limit"] is None
    monkeypatch.setattr(training_summary, "MAX_BASELINE_CHARACTERS", 60)
    summary = train_small(validation=0.25).summary
    assert summary["baseline_limit"] == 60
    assert summary["baselines"] == baselines(TEXT[:60])
    assert summary["held_out_baselines"] == baselines(TEXT[144:])


def test_listeners_get_every_event_after_announce() -> None:
    received: list[Any] = []
    training = TrainingConfig(updates=10, sequence_length=T)
    run = training_run.train(
        from_string(TEXT, "mine"), model=ModelConfig(hidden_size=8), training=training, with_proof=False,
        listeners=[received.append, received.append], announce=lambda *arguments: received.append(arguments),
    )  # fmt: skip
    text, vocabulary, trainer, folder = received[0]
    assert (text.text, len(vocabulary), folder) == (TEXT, K, run.folder)
    assert isinstance(trainer, Trainer)
    assert received[1::2] == received[2::2]
    assert received[-1] == Finishing(10)
    assert any(isinstance(event, Sampled) for event in received)


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("", {}, "the text is empty: there is nothing to learn from"),
        ("a", {}, "the text has only one character"),
        ("aaaaaaaaaaaa", {}, "every character of the text is 'a'"),
        ("abcab", {}, "the text has 5 characters, but one sequence of 5 needs 6"),
        (TEXT[:16], {"batch_size": 4}, "one update of 4 sequences of 5 needs 21"),
        (TEXT, {"validation": 0.001}, "`validation` 0.001 holds out 1 of the text's 192 characters"),
        ("ab\udcff", {}, "the text has a lone surrogate"),
    ],
)
def test_text_that_cannot_be_trained_is_an_error(text: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(TextError, match=message) as caught:
        train_small(text=text, **settings)
    assert caught.value.exit_code == 3
    assert names(Path()) == []


def test_text_and_source_together_are_refused() -> None:
    with pytest.raises(UsageError, match="give either a text to read or `text`, not both"):
        read_text("kjv", "abc", None)


def finite(folder: Path) -> bool:
    files = sorted((folder / CHECKPOINTS).glob("*.safetensors"))
    return all(np.isfinite(array).all() for path in files for array in tensor_file.read(path)[0].values())


def test_nan_keeps_last_finite_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    train = FusedEngine.train

    def poisoned(self: FusedEngine, *arguments: Any, **named: Any) -> Any:
        if self._updates_done >= 40:
            raise NumericalError("the loss became nan at update 41; it must be finite.", update=41, tensor="loss")
        return train(self, *arguments, **named)

    monkeypatch.setattr(FusedEngine, "train", poisoned)
    with pytest.raises(NumericalError, match="the loss became nan at update 41") as caught:
        train_small("here", checkpoint_every=0.0)
    assert (caught.value.exit_code, caught.value.update, caught.value.tensor) == (5, 41, "loss")
    kept = [f"update-{update:012d}.safetensors" for update in (30, 38, 40)]  # an epoch ends at 38
    assert names(Path("here") / CHECKPOINTS) == [BEST, LATEST, *kept]
    assert finite(Path("here"))
    assert [row["update"] for row in rows(Path("here") / METRICS)] == [10, 20, 30, 40]
    assert load("here").sha256


@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate": 3e38},
        {"learning_rate": 1e300},
        {"learning_rate": 3e38, "engine": "reference"},
        {"learning_rate": 1e300, "engine": "reference"},
        {"initial_scale": 1e38},  # float32 overflows; the float64 reference does not
    ],
)
def test_overflow_leaves_only_finite_checkpoints(settings: dict[str, Any]) -> None:
    with pytest.raises(NumericalError, match=r"became .+ at update \d+; it must be") as caught:
        train_small("here", checkpoint_every=0.0, log_every=1, **settings)
    assert caught.value.exit_code == 5
    assert finite(Path("here"))
    saved = [int(path.stem.split("-")[1]) for path in (Path("here") / CHECKPOINTS).glob("update-*")]
    assert all(update < caught.value.update for update in saved)
    assert not any(token in (Path("here") / METRICS).read_text() for token in ("NaN", "Infinity"))


def kill_at(update: int, *signals: int) -> Any:
    def listen(event: Event) -> None:
        if isinstance(event, Record) and event.update == update:
            for number in signals:
                os.kill(os.getpid(), number)

    return listen


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signal_ends_run_after_checkpoint(number: int, code: int) -> None:
    before = [signal.getsignal(each) for each in STOPS]
    with pytest.raises(Interrupted, match=r"stopped by SIG\w+ at update 30; the checkpoint is saved") as caught:
        train_small("here", listeners=[kill_at(30, number)], validation=0.2)
    assert caught.value.exit_code == code
    assert [signal.getsignal(each) for each in STOPS] == before
    summary = json.loads(Path("here", SUMMARY).read_text())
    assert set(summary) >= JSON_KEYS
    assert (summary["updates"], summary["validation_nats_per_character"] is None) == (30, False)
    saved = Path("here", CHECKPOINTS, "update-000000000030.safetensors")
    tensors, metadata = tensor_file.read(saved)
    parameters = {n.removeprefix("parameters."): a for n, a in tensors.items() if n.startswith("parameters.")}
    assert digest(parameters) == summary["model_sha256"]
    assert metadata["progress"]["update"] == 30
    until_then = train_small("there", updates=30, validation=0.2)
    assert until_then.summary["model_sha256"] == summary["model_sha256"]


def test_stop_before_first_evaluation_keeps_newest_model() -> None:
    def listen(event: Event) -> None:
        if isinstance(event, Sampled) and event.update == 20:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted, match="at update 20"):
        train_small("here", listeners=[listen], sample_every=20, log_every=1000, validation=0.2, evaluate_every=1000)
    summary = json.loads(Path("here", SUMMARY).read_text(), parse_constant=pytest.fail)
    assert (summary["best_update"], summary["validation_nats_per_character"]) == (20, None)
    assert load("here").sha256 == summary["model_sha256"]


def test_second_signal_interrupts_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        train_small("here", listeners=[kill_at(30, signal.SIGINT, signal.SIGINT)])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_training_in_second_thread_sets_no_handlers() -> None:
    runs: list[training_run.Run] = []
    thread = threading.Thread(target=lambda: runs.append(train_small(Path("here").absolute())))
    thread.start()
    thread.join()
    assert runs[0].summary["updates"] == 100


@pytest.mark.parametrize(
    ("folder", "quoted"), [("here", "here"), ("my runs/a", "'my runs/a'")], ids=["a word", "with a blank"]
)
def test_numerical_error_hints_at_resume_with_lower_rate(
    monkeypatch: pytest.MonkeyPatch, folder: str, quoted: str
) -> None:
    train = FusedEngine.train

    def poisoned(self: FusedEngine, *arguments: Any, **named: Any) -> Any:
        if self._updates_done >= 40:
            self._weights.V[0, 0] = np.nan
        return train(self, *arguments, **named)

    monkeypatch.setattr(FusedEngine, "train", poisoned)
    with pytest.raises(NumericalError, match="at update 41; it must be finite") as caught:
        train_small(folder, checkpoint_every=0.0, learning_rate=0.3)
    command = f"recurra train --resume --run {quoted} --learning-rate 0.1"
    assert caught.value.hint == f"resume from the last checkpoint at a lower rate: {command}"
    assert finite(Path(folder))
    monkeypatch.setattr(FusedEngine, "train", train)
    assert resume_small(folder, learning_rate=0.1).summary["updates"] == 100


@pytest.mark.parametrize("failing", [RUN_TOML, METRICS, LAST, BEST, LATEST, SUMMARY])
def test_failed_write_is_storage_error(monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    reason = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    real_open, real_replace = Path.open, Path.replace

    def opened(path: Path, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        if path.name == failing and mode == "a":
            raise reason
        return real_open(path, mode, *arguments, **named)

    def replaced(path: Path, target: Path) -> Path:
        if target.name == failing:
            raise reason
        return real_replace(path, target)

    monkeypatch.setattr(Path, "open", opened)
    monkeypatch.setattr(Path, "replace", replaced)
    with pytest.raises(StorageError, match=rf"cannot write `.*{failing}`: No space left on device\.") as caught:
        train_small("here")
    assert caught.value.exit_code == 7
    assert not [path for path in Path("here").rglob("*") if path.name.startswith(atomic_write.STAGING)]


def fails_from(update: int, break_storage: Callable[[], object]) -> Any:
    """Return a listener that breaks the storage after the checkpoint of `update`."""

    def listen(event: Event) -> None:
        if isinstance(event, Checkpointed) and event.update == update:
            break_storage()

    return listen


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize(("owner", "name"), [(atomic_write, "write_bytes"), (os, "fsync")])
def test_failed_write_keeps_last_checkpoint(
    monkeypatch: pytest.MonkeyPatch, number: int, owner: Any, name: str
) -> None:
    reason = OSError(number, os.strerror(number))

    def broken(*arguments: Any, **named: Any) -> Any:
        raise reason

    whole = getattr(owner, name)

    def break_storage() -> None:
        monkeypatch.setattr(owner, name, broken)

    with pytest.raises(StorageError, match=rf"cannot write `here/.*`: {os.strerror(number)}\.") as caught:
        train_small("here", checkpoint_every=0.0, listeners=[fails_from(30, break_storage)])
    assert caught.value.exit_code == 7
    monkeypatch.setattr(owner, name, whole)
    assert recover(Path("here")).snapshot.update >= 30


def test_removed_run_directory_is_storage_error() -> None:
    def remove() -> None:
        shutil.rmtree("here")

    with pytest.raises(StorageError, match=r"cannot write `here/.*`: the folder `here` does not exist\.") as caught:
        train_small("here", checkpoint_every=0.0, listeners=[fails_from(30, remove)])
    assert caught.value.exit_code == 7


FILE_SIZE_LIMIT = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from small_training import train_small, resume_small
from recurra.errors import StorageError
from recurra.training.events import Checkpointed
def limit(event):
    if isinstance(event, Checkpointed) and event.update == 30:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))
try:
    train_small("here", checkpoint_every=0.0, listeners=[limit])
except StorageError as error:
    print(error.exit_code, error.message)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(resume_small("here").summary["model_sha256"] == train_small("there").summary["model_sha256"])
"""


def test_file_size_limit_is_storage_error_and_run_resumes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILE_SIZE_LIMIT, str(Path(__file__).parents[1] / "helpers")],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | PACKAGE,
    )
    assert done.returncode == 0, done.stderr
    error, same = done.stdout.splitlines()
    assert re.fullmatch(r"7 cannot write `here/checkpoints/.+`: File too large\.", error), error
    assert same == "True"


def test_folder_name_that_is_not_utf_8() -> None:
    run = train_small(Path(os.fsdecode(b"caf\xe9")), updates=10)
    assert json.loads((run.folder / SUMMARY).read_text())["run"] == "caf\udce9"
    assert load(run.folder).sha256 == run.model.sha256


def test_run_of_thousands_of_epochs_is_loaded() -> None:
    run = train_small(text="abcabc", updates=3000, log_every=2999, sample_every=0)
    assert len(run.summary["epoch_means"]) == 3000
    assert isinstance(load(run.folder), LanguageModel)


def test_force_removes_every_file_of_run() -> None:
    run = train_small(updates=10)
    assert set(names(run.folder)) <= {*FILES, CHECKPOINTS}
    assert SETTINGS["hidden_size"] == 8

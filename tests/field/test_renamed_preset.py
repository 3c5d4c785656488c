"""Scripts and run directories with `seed`, the earlier name of preset `classic`, still work and give one note."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import recurra
from recurra.cli import main
from recurra.config import TrainingConfig, configs
from recurra.config.keywords import note_renamed_preset
from recurra.runs import records
from recurra.runs.run_toml import read_settings

NOTE = "note: preset `seed` is now called `classic`."
OLD_RUN = Path(__file__).parents[1] / "golden" / "format_1" / "classic"
TEXT = "A small book, of few words, read many times over.\n" * 20
SMALL: dict[str, Any] = {"updates": 20, "hidden_size": 8, "proof": False, "report": False, "sample_every": 0}


@pytest.fixture(autouse=True)
def note_not_yet_given() -> None:
    note_renamed_preset.cache_clear()


def test_earlier_name_becomes_the_present_one() -> None:
    assert TrainingConfig(preset="seed") == TrainingConfig(preset="classic") == TrainingConfig()
    assert TrainingConfig.from_table({"preset": "seed"}).to_table()["preset"] == "classic"
    assert configs({"preset": "seed"}) == configs({"preset": "classic"})


def test_note_is_on_stderr_once_without_a_handler() -> None:
    code = "from recurra.config import configs; configs({'preset': 'seed'}); configs({'preset': 'seed'})"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", f"{NOTE}\n")


def test_present_name_gives_no_note(caplog: pytest.LogCaptureFixture) -> None:
    configs({"preset": "classic"})
    assert not caplog.messages


def test_python_trains_the_same_parameters(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    runs = [recurra.train(text=TEXT, run=tmp_path / name, preset=name, **SMALL) for name in ("seed", "classic")]
    assert runs[0].summary["model_sha256"] == runs[1].summary["model_sha256"]
    assert read_settings(runs[0].folder)["training"]["preset"] == "classic"
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [NOTE]


def test_commands_accept_the_earlier_name(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "book.txt").write_text(TEXT, "utf-8")
    small = ["--hidden-size", "8", "--updates", "20", "--no-proof", "--json", "--run", str(tmp_path / "run")]
    assert main(["train", str(tmp_path / "book.txt"), "--preset", "seed", *small]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["updates"] == 20
    assert err.count(NOTE) == 1
    note_renamed_preset.cache_clear()
    check = ["--hidden-size", "4", "--sequence-length", "5", "--json", "--text", str(tmp_path / "book.txt")]
    assert main(["check", "--preset", "seed", *check]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["cells"]["elman"]["W"]["seed_tolerance"] == 1e-9
    assert err.count(NOTE) == 1


@pytest.mark.parametrize("given", [{}, {"preset": "seed"}, {"preset": "classic"}], ids=["none", "seed", "classic"])
def test_old_run_resumes_with_one_note(tmp_path: Path, caplog: pytest.LogCaptureFixture, given: dict[str, Any]) -> None:
    run = tmp_path / "run"
    shutil.copytree(OLD_RUN, run)
    span = records.load(run).span
    assert records.load(run).table("training")["preset"] == "seed"
    tale = (OLD_RUN.parent / "tale.txt").as_posix()
    settings = (run / "run.toml").read_text("utf-8").replace('"tale.txt"', f'"{tale}"')
    (run / "run.toml").write_text(settings, "utf-8")
    resumed = recurra.train(run=run, resume=True, proof=False, report=False, **given)
    assert caplog.messages.count(NOTE) == (given != {"preset": "classic"})
    assert read_settings(resumed.folder)["training"]["preset"] == "classic"
    assert records.load(run).span == span

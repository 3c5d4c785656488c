"""The analysis of a run in progress gives the same results as its final summary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import recurra
from recurra.web import panel_data
from recurra.web.run_analysis import RunAnalysis
from recurra.web.run_watch import Watch

BOOK = "A small book, of few words, read many times over: déjà vu.\n" * 80


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> recurra.Run:
    room = tmp_path_factory.mktemp("run_analysis")
    (room / "book.txt").write_text(BOOK, encoding="utf-8")
    settings: dict[str, Any] = {"updates": 20, "hidden_size": 8, "validation": 0.2, "proof": False, "preset": "classic"}
    return recurra.train(room / "book.txt", run=room / "run", **settings)


def analyze(folder: Path) -> Watch:
    watch = Watch(folder)
    watch.refresh()
    RunAnalysis(watch).update()
    return watch


def test_analysis_equals_the_final_summary(run: recurra.Run) -> None:
    summary = run.folder / "summary.json"
    text = summary.read_text()
    summary.unlink()
    results = analyze(run.folder).extra
    summary.write_text(text)
    assert results["rules"] == panel_data.rules(run.summary)
    assert [rule["name"] for rule in results["rules"]] == ["uniform", "unigram", "xz −9e", "3-gram", "6-gram"]
    assert results["marks"] == run.summary["sample_marks"]
    assert results["passage"] == run.summary["held_out_passage"]["text"][: panel_data.PASSAGE_CHARACTERS]


def test_analysis_of_a_complete_run_adds_only_the_passage(run: recurra.Run) -> None:
    assert set(analyze(run.folder).extra) == {"passage"}


def test_analysis_without_held_out_text_uses_training_text(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text(BOOK, encoding="utf-8")
    named: dict[str, Any] = {"updates": 5, "hidden_size": 8, "proof": False, "preset": "classic", "encoding": "bytes"}
    run = recurra.train(tmp_path / "book.txt", run=tmp_path / "run", **named)
    (run.folder / "summary.json").unlink()
    results = analyze(run.folder).extra
    assert results["rules"] == panel_data.rules(run.summary)
    assert results["passage"] == BOOK.encode()[: panel_data.PASSAGE_CHARACTERS].decode("utf-8", "replace")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('sha256 = "', 'sha256 = "0'),
        ("source = [", "elsewhere = ["),
        ("book.txt", "missing.txt"),
        ("[text]", "[nothing]"),
        ('encoding = "utf-8"', 'encoding = "nonsense"'),
    ],
)
def test_changed_text_gives_no_analysis(run: recurra.Run, tmp_path: Path, old: str, new: str) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    text = (run.folder / "run.toml").read_text()
    assert old in text
    (folder / "run.toml").write_text(text.replace(old, new))
    (folder / "samples.jsonl").write_text(json.dumps({"update": 0, "temperature": 1.0, "text": "A small book"}) + "\n")
    assert analyze(folder).extra == {}


def test_later_samples_are_marked(run: recurra.Run, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    (folder / "run.toml").write_text((run.folder / "run.toml").read_text())
    log, watch = folder / "samples.jsonl", Watch(folder)
    analysis = RunAnalysis(watch)

    def marked(*updates: int) -> list[int]:
        log.write_text("".join(f'{{"update": {n}, "temperature": 1.0, "text": "small {n}"}}\n' for n in updates))
        watch._refreshed_at = 0.0
        watch.refresh()
        analysis.update()
        return [table["update"] for table in watch.extra["marks"] if table["words"]]

    assert marked(0, 1) == [0, 1]
    assert marked(0, 1, 2) == [0, 1, 2]
    assert marked(0, 5) == [0, 5]

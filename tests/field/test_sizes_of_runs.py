"""Every run can be read again: many files, odd names, many symbols, long samples, very many epochs."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recurra
from recurra.errors import ModelError, TextError
from recurra.io import bounded_io, tensor_file
from recurra.runs import records, source_list
from recurra.runs.checkpoint_schema import PROGRESS, find_metadata_fault
from recurra.runs.findings.sample_marks import mark
from recurra.runs.layout import SETTINGS, SOURCES, SUMMARY
from recurra.runs.logs import SampleText
from recurra.runs.provenance import Provenance
from recurra.runs.run_toml import read_settings
from recurra.runs.source_list import read_sources, write_sources
from recurra.text.reading import from_string
from recurra.training import loss_history
from recurra.training.loss_history import History
from recurra.training.trainer import LONGEST_SAMPLE
from recurra.web import log_tail, panel_data

LINE = "A small book, of few words, read many times over.\n"
SMALL: dict[str, Any] = {"preset": "classic", "updates": 3, "hidden_size": 8, "proof": False, "report": False}
FILES = 400  # whose paths together are longer than run.toml holds


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of many files with long names; one name is not valid UTF-8."""
    folder = tmp_path_factory.mktemp("corpus") / ("a-folder-with-a-long-name-" * 6)
    folder.mkdir()
    for number in range(FILES - 1):
        (folder / f"{'name-' * 8}{number:05}.txt").write_text(LINE)
    Path(os.fsdecode(bytes(folder) + b"/\xff\n.txt")).write_text(LINE)
    return folder


@pytest.fixture(scope="module")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on all files of the corpus."""
    return recurra.train(corpus, run=tmp_path_factory.mktemp("runs") / "run", validation=0.1, **SMALL).folder


def test_run_on_many_files_is_read_again(trained: Path, corpus: Path, tmp_path: Path) -> None:
    assert (trained / SETTINGS).stat().st_size < 8192
    assert len((trained / SOURCES).read_bytes().splitlines()) == FILES
    assert records.load(trained).table("text")["sources"] == FILES
    learned = Provenance(trained).prepared_text
    assert learned.text.text == LINE * FILES
    assert learned.text.name == corpus.name[:60].strip("-")  # not the name of its first file
    assert Path(learned.text.source[-1]).parent == corpus
    (corpus / "new.txt").write_text("a file that came later")  # the text is the files that were read
    try:
        run = shutil.copytree(trained, tmp_path / "copy")
        resumed = recurra.train(run=run, resume=True, updates=5, proof=False, report=False)
    finally:
        (corpus / "new.txt").unlink()
    assert resumed.summary["updates"] == 5
    assert Provenance(run).prepared_text.text.sha256 == learned.text.sha256


def test_damaged_or_missing_source_list_is_an_error(trained: Path, tmp_path: Path) -> None:
    run = shutil.copytree(trained, tmp_path / "copy")
    lines = (run / SOURCES).read_bytes().splitlines(keepends=True)
    for content, message in (
        (b"".join(lines[1:]), "has changed since it was written"),
        (lines[0][:-9], "cannot be read"),
        (None, "cannot be read: .*No such file"),
    ):
        (run / SOURCES).unlink() if content is None else (run / SOURCES).write_bytes(content)
        with pytest.raises(TextError, match=rf"the list of the text's files `.*sources\.jsonl` {message}") as caught:
            Provenance(run).prepared_text  # noqa: B018
        assert caught.value.hint == "give the text: `recurra score MODEL TEXT`."
        with pytest.raises(TextError, match="hint: pass the text: `recurra train TEXT"):
            recurra.train(run=run, resume=True)


def test_few_sources_are_in_run_toml(trained: Path, tmp_path: Path) -> None:
    run = shutil.copytree(trained, tmp_path / "copy")
    book = tmp_path / "book.txt"
    book.write_text(LINE * 9)
    recurra.train(book, run=run, resume=True, updates=5, proof=False, report=False)
    assert read_settings(run)["text"]["source"] == [str(book)]
    assert not (run / SOURCES).exists()
    recurra.train(book, run=run, force=True, **SMALL)
    assert Provenance(run).prepared_text.text.text == LINE * 9


@given(st.lists(st.text(st.characters(exclude_characters="\0") | st.characters(categories=["Cs"]), max_size=30)))
def test_any_paths_are_read_as_they_were_written(paths: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for limit in (source_list.IN_SETTINGS, 20):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(source_list, "IN_SETTINGS", limit)
                table = write_sources(folder, paths)
            assert read_sources(folder, table, "") == paths
            assert ("source" in table) != (folder / SOURCES).exists()
            assert len(str(table.get("source", ""))) < source_list.IN_SETTINGS * 10


def test_long_run_toml_is_avoided(tmp_path: Path) -> None:
    book, run = tmp_path / "book.txt", tmp_path / "run"
    book.write_text(LINE * 9)
    recurra.train(book, run=run, **SMALL)
    with (run / SETTINGS).open("ab") as file:  # as versions before wrote it for very many files
        file.write(b"# a line\n" * 1_000_000)
    with pytest.raises(ModelError, match="it has more than 8,388,608 bytes") as caught:
        recurra.train(run=run, resume=True, updates=5, proof=False, report=False)
    assert caught.value.hint is not None
    assert f"`recurra train TEXT --resume --run {run}`" in caught.value.hint
    with pytest.raises(
        ModelError, match=r"more than 8,388,608 bytes\.\nhint: move it to another folder: a report does not need it"
    ):
        records.load(run)
    (run / SETTINGS).unlink()
    assert recurra.train(book, run=run, resume=True, updates=5, proof=False, report=False).summary["updates"] == 5
    assert (run / SETTINGS).stat().st_size < 8192


@pytest.mark.parametrize("epochs", [3, loss_history.FIRST_EPOCHS + 2 * loss_history.LAST_EPOCHS, 400_000])
def test_very_many_epochs(epochs: int, tmp_path: Path) -> None:
    history = History()
    for number in range(1, epochs + 1):
        history.epoch_sum, history.epoch_characters = float(number), 1
        history.end_epoch()
    assert history.epochs == epochs
    means = history.numbered_means()
    assert all(mean == number for number, mean in means)
    assert (means[0][0], means[-1][0]) == (1, epochs)
    assert len(means) <= loss_history.FIRST_EPOCHS + 2 * loss_history.LAST_EPOCHS
    tensor_file.write(tmp_path / "x", {"a": np.zeros(1)}, {"history": history.to_table()})
    assert History(**tensor_file.read(tmp_path / "x")[1]["history"]) == history
    summary = {"epoch_means": [{"epoch": n, "nats_per_character": mean} for n, mean in means]}
    assert bounded_io.parse_json(json.dumps(summary).encode()) == summary


def test_old_checkpoints_lack_number_of_dropped_epochs() -> None:
    history: dict[str, Any] = History(smooth=1.0).to_table()
    progress = {
        "update": 1, "cursor": [0, 0], "history": history, "gradient_norm_sum": 0.0, "validation": None,
        "best_loss": None, "best_update": None, "worse": 0, "drops": 0,
    }  # fmt: skip
    assert find_metadata_fault({"progress": progress}, PROGRESS) is None
    history["epochs_dropped"] = -1
    assert find_metadata_fault({"progress": progress}, PROGRESS) == "epochs_dropped"
    del history["epochs_dropped"]
    assert find_metadata_fault({"progress": progress}, PROGRESS) is None
    assert History(**history).epochs == 0


def test_the_marks_of_many_long_samples() -> None:
    text = LINE * 40
    found = mark([SampleText(update, text) for update in range(600)], from_string(text))
    summary = json.dumps({"sample_marks": found}, indent=1).encode()
    assert bounded_io.parse_json(summary)["sample_marks"] == found
    assert len(summary) < bounded_io.MAX_TEXT_BYTES
    assert found[-1]["update"] == 599


def test_sample_with_many_commas_is_one_value() -> None:
    text = ',[{"\\' * 100_000
    assert bounded_io.parse_json(json.dumps({"text": text}).encode()) == {"text": text}
    many = ("[" + "1," * bounded_io.MAX_VALUES + "1]").encode()
    with pytest.raises(ValueError, match="more than 300,000 values"):
        bounded_io.parse_json(many)
    with pytest.raises(ValueError, match=r"."):
        bounded_io.parse_json(b'{"a": "' + b'\\",[' * 400_000)  # a string without an end, in one pass


@pytest.mark.parametrize("character", ["a", "\x01", "\U0001f600"])
def test_longest_sample_line_is_readable(character: str) -> None:
    line = json.dumps({"update": 1, "text": character * LONGEST_SAMPLE}, ensure_ascii=False).encode()
    assert len(line) < min(log_tail.READ_BYTES, bounded_io.MAX_TEXT_BYTES)


def test_many_symbols_and_records(tmp_path: Path) -> None:
    symbols = "".join(chr(0x4E00 + number) for number in range(3000))
    settings = SMALL | {"updates": 40, "log_every": 1, "sample_every": 1, "report": True}
    run = recurra.train(text=symbols * 2, run=tmp_path / "run", **settings)
    assert len(recurra.load(run.folder).vocabulary) == 3000
    assert (run.folder / SETTINGS).stat().st_size < 8192
    assert len(records.load(run.folder).samples) == 41
    assert bounded_io.parse_json((run.folder / SUMMARY).read_bytes())["updates"] == 40


def test_report_draws_bounded_number_of_records() -> None:
    many = [records.MetricsLine(update, 1.0, 1.0, 1.0, 1.0, None, 1.0) for update in range(50_000)]
    columns = panel_data.columns(many, 1)
    assert max(map(len, columns.values())) <= 2500

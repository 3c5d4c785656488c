"""Reading the files of a run directory: complete, incomplete and damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recurra.errors import ModelError
from recurra.runs.records import Point, load, number
from run_folder import MakeRun, lines, record


def test_complete_run_is_read(make_run: MakeRun) -> None:
    run = load(make_run())
    assert run.notes == ()
    assert (run.name, run.text_name, run.span, run.updates) == ("fable", "fable", 25, 4000)
    assert run.final == Point(4000, 52.5)
    assert run.lowest == run.best == Point(3000, 48.25)
    assert run.updates_per_epoch == 2000
    assert [sample.update for sample in run.samples] == [0, 2000, 4000]
    assert run.timings["seconds"] == 75.0


def test_span_is_one_except_for_preset_classic(make_run: MakeRun) -> None:
    folder = make_run()
    settings = (folder / "run.toml").read_text()
    (folder / "run.toml").write_text(settings.replace('"classic"', '"small"'))
    assert load(folder).span == 1
    (folder / "run.toml").write_text(settings.replace("batch_size = 1", "batch_size = 4"))
    assert load(folder).span == 100
    (folder / "run.toml").write_text('[training]\npreset = "classic"\nsequence_length = 50\ndocuments = "lines"\n')
    assert load(folder).span == 1


@pytest.mark.parametrize("file", ["run.toml", "metrics.jsonl", "samples.jsonl", "summary.json"])
def test_absent_file_is_noted(make_run: MakeRun, file: str) -> None:
    (note,) = load(make_run(without=(file,))).notes
    assert note.startswith(f"{file} is absent: ")


def test_stopped_run_is_noted(make_run: MakeRun) -> None:
    folder = make_run()
    summary = json.loads((folder / "summary.json").read_text())
    del summary["baselines"]
    (folder / "summary.json").write_text(json.dumps(summary))
    (note,) = load(folder).notes
    assert note.startswith("The run was stopped before its end: the gradient check")


def test_results_come_from_records_without_summary(make_run: MakeRun) -> None:
    run = load(make_run(without=("summary.json",)))
    assert run.final == Point(4000, record(4000)["smooth_loss"])
    assert run.best == Point(3000, 48.25)


def test_results_are_none_without_summary_and_records(make_run: MakeRun) -> None:
    run = load(make_run(without=("summary.json", "metrics.jsonl")))
    assert (run.final, run.best, run.lowest, run.updates, run.updates_per_epoch) == (None,) * 5


@pytest.mark.parametrize("rest", [b'{"update": 4100, "ep', b'{"text": "\xc3'])
def test_incomplete_last_line_is_ignored(make_run: MakeRun, rest: bytes) -> None:
    folder = make_run()
    with (folder / "metrics.jsonl").open("ab") as file:
        file.write(rest)
    run = load(folder)
    assert run.notes == ("The last line of metrics.jsonl is incomplete and was ignored.",)
    assert len(run.records) == 40


def test_error_names_broken_line(make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "metrics.jsonl").write_text(lines([record(100)]) + '{"update": 200,\n' + lines([record(300)]))
    with pytest.raises(ModelError, match=r"metrics\.jsonl`, line 2 is not JSON"):
        load(folder)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[1]", r"line 1: expected an object, got \[1\]"),
        (
            '{"update": 1, "loss": {"mean": 1, "min": 1}, "smooth_loss": 1}',
            r"expected a finite number as `max`, got None",
        ),
        ('{"update": "x"}', r"expected a finite number as `update`, got 'x'"),
        ('{"update": NaN}', r"expected a finite number as `update`, got None"),
    ],
)
def test_invalid_record_is_an_error(make_run: MakeRun, line: str, words: str) -> None:
    folder = make_run()
    (folder / "metrics.jsonl").write_text(line + "\n")
    with pytest.raises(ModelError, match=words):
        load(folder)


def test_sample_without_text_is_an_error(make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "samples.jsonl").write_text('{"update": 1}\n')
    with pytest.raises(ModelError, match="expected a string as `text`, got None"):
        load(folder)


@pytest.mark.parametrize(("file", "words"), [("run.toml", "is not TOML"), ("summary.json", "is not JSON")])
@pytest.mark.parametrize("content", [b"[half", b"\xff"])
def test_error_names_broken_table(make_run: MakeRun, file: str, words: str, content: bytes) -> None:
    folder = make_run()
    (folder / file).write_bytes(content)
    with pytest.raises(ModelError, match=rf"{file}` {words}"):
        load(folder)


def test_summary_that_is_no_object_is_an_error(make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "summary.json").write_text("3")
    with pytest.raises(ModelError, match=r"summary\.json`: expected an object, got 3"):
        load(folder)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(7, 7), (-2.5, -2.5), (1e15, 1e15), (5e-324, 0), (0, 0), (1e16, None), (-(10**400), None), (True, None)],
)
def test_only_plausible_numbers_are_read(value: float, expected: float | None) -> None:
    assert number({"x": value}, "x") == expected
    for other in (float("nan"), float("inf"), "7", None, [7]):
        assert number({"x": other}, "x") is None


def test_invalid_sizes_are_ignored(make_run: MakeRun) -> None:
    folder = make_run()
    for sizes in (
        'sequence_length = "x"\nbatch_size = 0',
        "sequence_length = nan\nbatch_size = -5",
        "sequence_length = []",
    ):
        (folder / "run.toml").write_text(f"[training]\n{sizes}\n")
        assert load(folder).span in (1, 25)


def test_control_characters_in_names_are_escaped(make_run: MakeRun) -> None:
    folder = make_run("a\x1b[2J")
    assert load(folder).name == "a\\x1b[2J"
    (folder / "run.toml").write_text('[text]\nname = "b\u202e"\n', encoding="utf-8")
    assert load(folder).text_name == "b\\u202e"


def test_folder_without_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"contains no run: expected run\.toml and metrics\.jsonl") as caught:
        load(tmp_path)
    assert caught.value.exit_code == 4
    with pytest.raises(ModelError, match="is not a folder"):
        load(tmp_path / "nowhere")


def test_unreadable_file_is_an_error(make_run: MakeRun) -> None:
    folder = make_run(without=("summary.json",))
    (folder / "summary.json").mkdir()
    with pytest.raises(ModelError, match=r"summary\.json` cannot be read"):
        load(folder)

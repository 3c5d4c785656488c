"""The data of the panels: losses in bits per character, and no invalid value of a file."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from recurra.runs.records import SampleLine, load
from recurra.web import panel_data
from run_folder import HOSTILE, MakeRun, lines, record


def test_losses_are_in_bits_per_character(make_run: MakeRun) -> None:
    run = load(make_run())
    found = panel_data.columns(run.records, run.span)
    assert found["update"][-1] == 4000
    assert found["smooth"][-1] == float(f"{52.5 / 25 / math.log(2):.6g}")
    assert found["scoredAt"] == found["scored"] == []
    assert found["norm"] == [None] * 40


def test_long_run_has_at_most_two_thousand_points(make_run: MakeRun) -> None:
    folder = make_run()
    rows = [record(update) | {"gradient_norm": 1.25} for update in range(1, 20_001)]
    for n in range(0, 20_000, 1000):
        rows[n]["validation"] = 2.0
    (folder / "metrics.jsonl").write_text(lines(rows))
    found = panel_data.columns(load(folder).records, 25)
    assert {name: len(column) <= 2000 for name, column in found.items()} == dict.fromkeys(found, True)
    assert found["norm"][3] == 1.25
    assert found["scoredAt"] == list(range(1, 20_001, 1000))  # none is lost
    assert found["scored"] == [float(f"{2 / math.log(2):.6g}")] * 20


def test_baselines_of_held_out_text_have_precedence(make_run: MakeRun) -> None:
    summary = load(make_run("one")).summary
    assert panel_data.rules(summary) == [
        {"name": "uniform", "value": 5.907}, {"name": "unigram", "value": 4.25}, {"name": "xz −9e", "value": 2.625},
    ]  # fmt: skip
    more = {"held_out_baselines": {"uniform": 5.5, "xz": "x"}, "held_out_ngrams": {"3": 3.0, "6": None}}
    found = panel_data.rules({**summary, **more})
    assert found == [{"name": "uniform", "value": 5.5}, {"name": "3-gram", "value": 3.0}]
    assert panel_data.rules({}) == []


def test_samples_have_their_marks(make_run: MakeRun) -> None:
    run = load(make_run())
    marks = [{"update": 2000, "words": [[0, 3], [90, 9], "x"], "total": 4, "copied": [[0, 7]]}, 7, {"update": "x"}]
    first, second, _ = panel_data.samples(run.samples, marks)
    assert first == {"update": 0, "temperature": 1.0, "text": HOSTILE}
    assert second == {
        "update": 2000, "temperature": 1.0, "text": "And so\n  the fox",
        "words": [[0, 3]], "copied": [[0, 7]], "total": 4,
    }  # fmt: skip
    assert [sample["text"] for sample in panel_data.samples(run.samples, "nonsense")] == [s.text for s in run.samples]


def test_passage_is_the_best_available_text(make_run: MakeRun, tmp_path: Path) -> None:
    assert panel_data.passage(load(make_run("one", held_out_passage={"text": "Held out.", "nats": []}))) == "Held out."
    assert panel_data.passage(load(make_run("two"))) == "The best passage <i>of all</i>"
    folder = make_run("three")
    (folder / "summary.json").write_text(json.dumps({}))
    assert panel_data.passage(load(folder)) == "The crow said"
    assert panel_data.passage(load(make_run("four", without=("summary.json", "samples.jsonl")))) == ""


@pytest.mark.parametrize("bad", [[1], [1, 2, 3], ["a", 1], [-1, 2], [0, 0], [3, 3], [True, 1], 7, None])
def test_invalid_spans_are_left_out(bad: object) -> None:
    marks = [{"update": 0, "words": [[0, 2], bad], "copied": bad, "total": 3}]
    (sample,) = panel_data.samples([SampleLine(0, 1.0, "12345")], marks)
    assert (sample["words"], sample["copied"]) == ([[0, 2]], [])

"""A run that goes on, as its files tell: what is new for a page, and when a page must forget what it knew."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from recurra.web import run_watch
from recurra.web.run_watch import PagePosition, Watch, newest, parse_position

TOML = """\
[model]
cell = "gru"
parameters = 123
[training]
preset = "small"
updates = 1000
sequence_length = 20
batch_size = 4
[text]
name = "fable"
"""


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_watch, "REFRESH_INTERVAL_SECONDS", 0.0)


def record(update: int, **more: Any) -> dict[str, Any]:
    loss = {"mean": 2.0, "min": 1.0, "max": 3.0}
    return {"update": update, "epoch": 0.1, "loss": loss, "smooth_loss": 1.5, "rate": 0.01, "gradient_norm": 2.5} | more


def append(path: Path, *rows: dict[str, Any]) -> None:
    with path.open("a") as file:
        file.writelines(json.dumps(one) + "\n" for one in rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "fable"
    (made / "checkpoints").mkdir(parents=True)
    (made / "run.toml").write_text(TOML)
    append(made / "metrics.jsonl", record(10), record(20, validation=1.25))
    append(made / "samples.jsonl", {"update": 0, "temperature": 1.0, "text": "<b>"})
    append(made / "timings.jsonl", {"update": 20, "seconds": 2.0, "peak_memory_bytes": 1000})
    return made


def seen(folder: Path) -> Watch:
    watch = Watch(folder)
    watch.refresh()
    return watch


def test_a_page_that_knows_nothing_is_told_all(folder: Path) -> None:
    watch = seen(folder)
    told = watch.since(parse_position(None))
    assert told["anew"] is True
    assert told["metrics"]["update"] == [10, 20]
    assert told["metrics"]["smooth"][0] == pytest.approx(1.5 / math.log(2), rel=1e-5)
    assert told["metrics"]["scoredAt"] == [20]
    assert told["metrics"]["scored"][0] == pytest.approx(1.25 / math.log(2), rel=1e-5)
    assert told["metrics"]["norm"] == [2.5, 2.5]
    assert told["samples"] == [{"update": 0, "temperature": 1.0, "text": "<b>"}]
    assert told["health"] == {
        "state": "Training", "update": 20, "updates": 1000, "seconds": 2.0, "rate": 10.0, "perUpdate": 80,
        "memory": 1000, "checkpoint": None, "model": None, "checkpointEvery": None, "learningRate": 0.01,
        "text": "fable", "cell": "gru", "parameters": 123,
    }  # fmt: skip
    assert (told["rules"], told["check"], told["marks"]) == ([], None, [])


def test_then_it_is_told_what_is_new(folder: Path) -> None:
    watch = seen(folder)
    place = watch.position
    append(folder / "metrics.jsonl", record(30))
    watch.refresh()
    told = watch.since(place)
    assert (told["anew"], told["metrics"]["update"], told["samples"]) == (False, [30], [])
    assert "rules" not in told
    assert watch.position != place
    assert watch.since(watch.position)["metrics"]["update"] == []


def test_a_server_that_was_started_again_goes_on_where_the_page_is(folder: Path) -> None:
    place = parse_position(str(seen(folder).position))
    append(folder / "metrics.jsonl", record(30))
    told = seen(folder).since(place)
    assert (told["anew"], told["metrics"]["update"]) == (False, [30])
    assert told["rules"] == []  # what else there is, it is told anew


def test_a_run_that_was_cut_back_is_told_anew(folder: Path) -> None:
    watch = seen(folder)
    place = watch.position
    (folder / "metrics.jsonl").unlink()
    append(folder / "metrics.jsonl", record(10), record(15), record(20))
    watch.refresh()
    told = watch.since(place)
    assert (told["anew"], told["metrics"]["update"], len(told["samples"])) == (True, [10, 15, 20], 1)


@pytest.mark.parametrize(
    "text", ["", "nonsense", "1.2", "1.2.3.4.5.6", "1.2.x.4.5", "9" * 30, "1.1.99.0.0", "9.1.20.0.0"]
)
def test_a_place_that_makes_no_sense_is_the_beginning(folder: Path, text: str) -> None:
    assert seen(folder).since(parse_position(text))["anew"] is True


def test_the_speed_is_that_of_late_while_it_trains(folder: Path) -> None:
    rows = [{"update": 100 * n, "seconds": float(n)} for n in range(3, 40)]
    append(folder / "timings.jsonl", *rows, {"update": 7900, "seconds": 49.0})
    assert seen(folder).health()["rate"] == 400.0
    (folder / "summary.json").write_text(json.dumps({"baselines": {}}))
    assert seen(folder).health()["rate"] == 7900 / 49
    assert seen(folder).health()["state"] == "Finished"
    (folder / "summary.json").write_text(json.dumps({"updates": 5}))
    assert seen(folder).health()["state"] == "Stopped"


def test_what_the_summary_has_goes_before_what_others_found(folder: Path) -> None:
    watch = seen(folder)
    before = watch.position
    watch.add(rules=[{"name": "xz", "value": 2.0}], marks=[{"update": 0}], passage="A page.")
    assert watch.position.stamp > before.stamp
    told = watch.since(before)
    assert (told["rules"], told["marks"], told["passage"]) == (
        [{"name": "xz", "value": 2.0}],
        [{"update": 0}],
        "A page.",
    )
    found = {"baselines": {"uniform": 5.0}, "sample_marks": [{"update": 1}], "gradient_check": {"passed": True}}
    (folder / "summary.json").write_text(json.dumps(found))
    watch.refresh()
    told = watch.since(before)
    assert told["rules"] == [{"name": "uniform", "value": 5.0}]
    assert (told["marks"], told["check"]) == ([{"update": 1}], {"passed": True})


def test_a_part_from_nearer(folder: Path) -> None:
    append(folder / "metrics.jsonl", *(record(update) for update in range(30, 50_000)))
    watch = seen(folder)
    while len(watch.records) < 49_972:
        watch.refresh()
    assert watch.part(100, 1100)["update"] == list(range(100, 1101))
    assert len(watch.part(0, 1e9)["update"]) <= 2000
    assert len(watch.since(PagePosition())["metrics"]["update"]) <= 2000


def test_broken_files_stop_nothing(folder: Path) -> None:
    watch = seen(folder)
    append(folder / "metrics.jsonl", {"update": "x"}, record(30))
    (folder / "run.toml").write_text("= nonsense")
    (folder / "summary.json").write_text("[1]")
    watch.refresh()
    assert [one.update for one in watch.records] == [10, 20, 30]
    assert watch.health()["text"] == "fable"
    shutil.rmtree(folder)
    watch.refresh()
    assert watch.health()["update"] == 30


@pytest.mark.parametrize("file", ["../../secret", "update-1.safetensors/../../x", "update-x.safetensors", 7, None])
def test_a_checkpoint_is_named_as_checkpoints_are(folder: Path, file: object) -> None:
    latest = folder / "checkpoints" / "latest.json"
    latest.write_text(json.dumps({"file": file}))
    assert newest(folder) is None
    latest.write_text(json.dumps({"file": "update-000000000020.safetensors"}))
    assert newest(folder) == (folder / "checkpoints" / "update-000000000020.safetensors", 20)

"""The watch of a run in progress: new data for a page, and when a page must discard its old data."""

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


def refreshed(folder: Path) -> Watch:
    watch = Watch(folder)
    watch.refresh()
    return watch


def test_new_page_receives_everything(folder: Path) -> None:
    watch = refreshed(folder)
    news = watch.since(parse_position(None))
    assert news["anew"] is True
    assert news["metrics"]["update"] == [10, 20]
    assert news["metrics"]["smooth"][0] == pytest.approx(1.5 / math.log(2), rel=1e-5)
    assert news["metrics"]["scoredAt"] == [20]
    assert news["metrics"]["scored"][0] == pytest.approx(1.25 / math.log(2), rel=1e-5)
    assert news["metrics"]["norm"] == [2.5, 2.5]
    assert news["samples"] == [{"update": 0, "temperature": 1.0, "text": "<b>"}]
    assert news["health"] == {
        "state": "Training", "update": 20, "updates": 1000, "seconds": 2.0, "rate": 10.0, "perUpdate": 80,
        "memory": 1000, "checkpoint": None, "model": None, "checkpointEvery": None, "learningRate": 0.01,
        "text": "fable", "cell": "gru", "parameters": 123,
    }  # fmt: skip
    assert (news["rules"], news["check"], news["marks"]) == ([], None, [])


def test_page_receives_only_new_data(folder: Path) -> None:
    watch = refreshed(folder)
    place = watch.position
    append(folder / "metrics.jsonl", record(30))
    watch.refresh()
    news = watch.since(place)
    assert (news["anew"], news["metrics"]["update"], news["samples"]) == (False, [30], [])
    assert "rules" not in news
    assert watch.position != place
    assert watch.since(watch.position)["metrics"]["update"] == []


def test_restarted_server_continues_at_the_position_of_the_page(folder: Path) -> None:
    place = parse_position(str(refreshed(folder).position))
    append(folder / "metrics.jsonl", record(30))
    news = refreshed(folder).since(place)
    assert (news["anew"], news["metrics"]["update"]) == (False, [30])
    assert news["rules"] == []  # the other data is sent again


def test_page_receives_a_truncated_run_again(folder: Path) -> None:
    watch = refreshed(folder)
    place = watch.position
    (folder / "metrics.jsonl").unlink()
    append(folder / "metrics.jsonl", record(10), record(15), record(20))
    watch.refresh()
    news = watch.since(place)
    assert (news["anew"], news["metrics"]["update"], len(news["samples"])) == (True, [10, 15, 20], 1)


@pytest.mark.parametrize(
    "text", ["", "nonsense", "1.2", "1.2.3.4.5.6", "1.2.x.4.5", "9" * 30, "1.1.99.0.0", "9.1.20.0.0"]
)
def test_invalid_position_is_the_beginning(folder: Path, text: str) -> None:
    assert refreshed(folder).since(parse_position(text))["anew"] is True


def test_speed_during_training_is_recent(folder: Path) -> None:
    rows = [{"update": 100 * n, "seconds": float(n)} for n in range(3, 40)]
    append(folder / "timings.jsonl", *rows, {"update": 7900, "seconds": 49.0})
    assert refreshed(folder).health()["rate"] == 400.0
    (folder / "summary.json").write_text(json.dumps({"baselines": {}}))
    assert refreshed(folder).health()["rate"] == 7900 / 49
    assert refreshed(folder).health()["state"] == "Finished"
    (folder / "summary.json").write_text(json.dumps({"updates": 5}))
    assert refreshed(folder).health()["state"] == "Stopped"


def test_summary_has_precedence_over_the_analysis(folder: Path) -> None:
    watch = refreshed(folder)
    before = watch.position
    watch.add(rules=[{"name": "xz", "value": 2.0}], marks=[{"update": 0}], passage="A page.")
    assert watch.position.stamp > before.stamp
    news = watch.since(before)
    assert (news["rules"], news["marks"], news["passage"]) == (
        [{"name": "xz", "value": 2.0}],
        [{"update": 0}],
        "A page.",
    )
    summary = {"baselines": {"uniform": 5.0}, "sample_marks": [{"update": 1}], "gradient_check": {"passed": True}}
    (folder / "summary.json").write_text(json.dumps(summary))
    watch.refresh()
    news = watch.since(before)
    assert news["rules"] == [{"name": "uniform", "value": 5.0}]
    assert (news["marks"], news["check"]) == ([{"update": 1}], {"passed": True})


def test_part_has_the_records_of_a_range(folder: Path) -> None:
    append(folder / "metrics.jsonl", *(record(update) for update in range(30, 50_000)))
    watch = refreshed(folder)
    while len(watch.records) < 49_972:
        watch.refresh()
    assert watch.part(100, 1100)["update"] == list(range(100, 1101))
    assert len(watch.part(0, 1e9)["update"]) <= 2000
    assert len(watch.since(PagePosition())["metrics"]["update"]) <= 2000


def test_watch_ignores_invalid_files(folder: Path) -> None:
    watch = refreshed(folder)
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
def test_newest_requires_the_name_of_a_checkpoint(folder: Path, file: object) -> None:
    latest = folder / "checkpoints" / "latest.json"
    latest.write_text(json.dumps({"file": file}))
    assert newest(folder) is None
    latest.write_text(json.dumps({"file": "update-000000000020.safetensors"}))
    assert newest(folder) == (folder / "checkpoints" / "update-000000000020.safetensors", 20)

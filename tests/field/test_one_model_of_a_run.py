"""Every command, the report, the page and the server open the best checkpoint of a run directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import recurra
from recurra.interop.origin import origin_of
from recurra.report.document import write_report
from recurra.runs.saved_model import load
from recurra.web.inlined_model import inline_model

pytest.importorskip("fastapi", reason="the page needs the extra `serve`")

from recurra.serving.registry import scan
from recurra.web.run_model import RunModel
from recurra.web.run_watch import Watch

LEARNED, HELD_OUT = "A small book, of few words, read many times over.\n", "Zxqj kvpz gnut hcyi QWXZ jkqv!\n"
BOOK = 54 * LEARNED + 10 * HELD_OUT


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose last checkpoint is not its best, because the held-out text has other words."""
    run = tmp_path_factory.mktemp("runs") / "fable"
    settings: dict[str, Any] = {"preset": "classic", "hidden_size": 8, "log_every": 10, "learning_rate": 0.3}
    settings |= {"updates": 60, "sample_every": 0}
    recurra.train(text=BOOK, run=run, proof=False, validation=0.1, evaluate_every=10, **settings)
    return run


def header(packed: bytes) -> dict[str, object]:
    found: dict[str, object] = json.loads(packed[4 : 4 + int.from_bytes(packed[:4], "little")])
    return found


def test_everything_opens_the_best_checkpoint(folder: Path) -> None:
    best = load(folder / "checkpoints" / "best.safetensors")
    newest = load(sorted((folder / "checkpoints").glob("update-*"))[-1])
    update = json.loads((folder / "summary.json").read_text())["best_update"]
    assert update < 60
    assert newest.sha256 != best.sha256
    assert load(folder).sha256 == origin_of(folder).model.sha256 == best.sha256
    (served,) = scan([folder]).values()
    assert served.sha256 == best.sha256

    on_the_page, in_the_report = RunModel(folder).packed(), inline_model(folder, with_model=True).data
    assert on_the_page == in_the_report
    name = f"best checkpoint, update {update}"
    assert (header(on_the_page)["name"], header(on_the_page)["update"]) == (name, update)
    assert f"({name})" in write_report([folder], folder / "again.html").read_text(encoding="utf-8")


def test_page_gets_event_only_for_new_best_checkpoint(folder: Path) -> None:
    def model_of() -> object:
        watch = Watch(folder)
        watch.refresh()
        return watch.health()["model"]

    before = model_of()
    checkpoints = folder / "checkpoints"
    latest = sorted(checkpoints.glob("update-*"))[-1]
    newer = latest.with_name("update-000000000070.safetensors")
    newer.write_bytes(latest.read_bytes())
    (checkpoints / "latest.json").write_text('{"file": "update-000000000070.safetensors", "update": 70}\n')
    assert model_of() == before

    best = checkpoints / "best.safetensors"
    best.rename(checkpoints / "kept")
    assert model_of() != before  # without a best one the newest is the model
    assert header(RunModel(folder).packed())["name"] == "checkpoint, update 60"  # from its content
    (checkpoints / "kept").rename(best)
    newer.unlink()

"""The facts about a model from the metadata of its file, which may be invalid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurra
from networks import small
from recurra.errors import ModelError
from recurra.interop.origin import origin_of
from recurra.io import tensor_file

TEXT = "A text of a few words, read over and over.\n" * 30


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a moving average; its best checkpoint is not its last."""
    named: dict[str, Any] = {"preset": "classic", "hidden_size": 8, "updates": 60, "evaluate_every": 20}
    settings = named | {"ema": 0.9, "validation": 0.1, "learning_rate": 2.0, "log_every": 20, "seed": 3}
    run = recurra.train(
        text=TEXT, run=tmp_path_factory.mktemp("runs") / "my.run", proof=False, report=False, **settings
    )
    return run.folder


def test_origin_of_a_run_is_its_best_checkpoint(trained: Path) -> None:
    origin = origin_of(trained)
    best = recurra.load(trained / "checkpoints" / "best.safetensors")
    metadata = tensor_file.read(trained / "checkpoints" / "best.safetensors")[1]
    update, loss = metadata["progress"]["update"], metadata["progress"]["validation"]
    assert origin.model.sha256 == best.sha256
    assert origin.name == "my.run"
    assert (
        origin.facts["network"]
        == f"elman (tanh), 1 × 8 units, {sum(a.size for a in best.parameters.values())} parameters"
    )
    assert origin.facts["symbols"] == f"{len(best.vocabulary)} characters"
    assert origin.facts["weights"] == f"the best checkpoint, of update {update}, the moving average of the parameters"
    assert origin.facts["held-out loss"].startswith(f"{loss:.4f} nats, ")
    assert origin.facts["text"].startswith("text, 1,290 symbols, sha256 ")


def test_moving_average_is_exported(trained: Path, tmp_path: Path) -> None:
    tensors, _ = tensor_file.read(trained / "checkpoints" / "best.safetensors")
    path = recurra.export(trained, tmp_path / "a.safetensors", format="torch")
    exported = tensor_file.read_foreign(path)[0]["output.weight"]
    average = tensors["optimizer.average.V"] / tensors["optimizer.average_weight"]
    np.testing.assert_array_equal(exported, average)
    assert not np.array_equal(exported, tensors["parameters.V"])


def test_origin_of_one_checkpoint_and_of_a_model_file(trained: Path, tmp_path: Path) -> None:
    last = sorted((trained / "checkpoints").glob("update-*"))[-1]
    assert origin_of(last).facts["weights"].startswith("a checkpoint, of update 60")
    small().save(tmp_path / "mine.safetensors")
    origin = origin_of(tmp_path / "mine.safetensors")
    assert (origin.name, origin.facts["weights"]) == ("mine", "a model file")
    assert origin.facts.keys() == {"network", "symbols", "weights"}
    assert origin_of(small()).facts.keys() == {"network", "symbols"}


@pytest.mark.parametrize(
    "table",
    [
        {"progress": 7, "text": []},
        {"progress": {"update": -1, "validation": "x"}, "text": {"name": 7, "characters": "x", "sha256": None}},
        {
            "progress": {"update": 10**4000, "validation": 10**400},
            "text": {"name": "x", "characters": 10**400, "sha256": ""},
        },
        {"progress": {"update": True, "validation": True}, "text": {}},
    ],
)
def test_invalid_metadata_is_ignored(tmp_path: Path, table: dict[str, Any]) -> None:
    path = tmp_path / "a"
    tensor_file.write(path, small().tensors(), small().metadata() | table)
    facts = origin_of(path).facts
    assert "held-out loss" not in facts
    assert "text" not in facts
    assert len(str(facts)) < 300


def test_name_of_a_text_is_escaped_and_short(tmp_path: Path) -> None:
    text = {"name": "\x1b[2J" + "x" * 9999, "characters": 5, "sha256": "\x1b" * 999}
    tensor_file.write(tmp_path / "a", small().tensors(), small().metadata() | {"text": text})
    fact = origin_of(tmp_path / "a").facts["text"]
    assert fact.startswith("\\x1b[2Jx")
    assert "\x1b" not in fact
    assert len(fact) < 400


def test_path_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no model"):
        origin_of(tmp_path / "nothing")

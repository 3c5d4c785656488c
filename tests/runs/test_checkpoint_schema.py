"""A checkpoint is untrusted input: it is resumed, or a RecurraError names the invalid value."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import recurra
from recurra.errors import RecurraError
from recurra.io import tensor_file
from recurra.runs.checkpoint_schema import PROGRESS, SETTINGS, find_fault, find_metadata_fault

TEXT = "bad cab\nbed ace\ndeb abe\nabba cede\n" * 4
WRONG: tuple[Any, ...] = (None, "x", [], {}, -1, 1e300, 10**30, True, [1, 2, 3])


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a small run and return its newest checkpoint."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "t.txt").write_text(TEXT)
    small: dict[str, Any] = {"hidden_size": 8, "sequence_length": 5, "updates": 30, "sample_every": 0, "proof": False}
    recurra.train(folder / "t.txt", run=folder / "run", preset="classic", report=False, **small)
    return max((folder / "run" / "checkpoints").glob("update-*"))


def places(table: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in table.items():
        yield (*path, name)
        if isinstance(value, dict):
            yield from places(value, (*path, name))


def test_saved_metadata_is_valid(checkpoint: Path) -> None:
    assert find_metadata_fault(tensor_file.read(checkpoint)[1], {**PROGRESS, **SETTINGS}) is None


RIGHT: list[tuple[Any, Any]] = [
    (0, int), (2**63 - 1, int), (0, float), (-1.5, float), (-1e300, float), ("", str), (True, bool), ({}, dict),
    (None, int | None), (7, int | None), ([], list[str]), (["a", "b"], list[str]), ([1, 2], tuple[int, int]),
    ({"a": 1, "b": "more"}, {"a": int}), ({"a": {"b": 1}}, {"a": {"b": int}}),
]  # fmt: skip
FAULTY: list[tuple[Any, Any]] = [
    (-1, int), (2**63, int), (1.0, int), (True, int), (None, int), ("1", int), (math.inf, float), (math.nan, float),
    (2**1024, float), (True, float), ("1", float), (1, str), (1, bool), (None, bool), ([], dict), ("x", int | None),
    (-1, int | None), ("ab", list[str]), (["a", 1], list[str]), ([1, "a"], list[str]), (None, list[str]),
    ([1], tuple[int, int]), ([1, 2, 3], tuple[int, int]), ([1, "x"], tuple[int, int]), (["x", 1], tuple[int, int]),
    ((1, 2), tuple[int, int]), (None, tuple[int, int]), ([], {"a": int}), (None, {}),
]  # fmt: skip


@pytest.mark.parametrize(("value", "kind"), RIGHT)
def test_valid_value_has_no_fault(value: Any, kind: Any) -> None:
    assert find_fault(value, kind) is None


@pytest.mark.parametrize(("value", "kind"), FAULTY)
def test_fault_names_invalid_value(value: Any, kind: Any) -> None:
    assert find_fault(value, kind, "this") == "this"


def test_fault_names_first_invalid_value_of_table() -> None:
    kind = {"a": int, "b": {"c": str, "d": float}}
    assert find_fault({"a": -1, "b": 7}, kind) == "a"
    assert find_fault({"a": 1, "b": 7}, kind) == "b"
    assert find_fault({"a": 1, "b": {"c": "x", "d": "y"}}, kind) == "d"
    assert find_fault({"a": -1}, kind) == "b"  # a missing name comes first
    assert find_fault({"a": 1, "b": {"c": "x"}}, kind) == "d"


def test_metadata_of_best_model_is_checked() -> None:
    kind = {"a": int}
    for best in (None, {"update": 3, "sha256": "ab"}):
        assert find_metadata_fault({"a": 1, "best": best}, kind) is None
        assert find_metadata_fault({"a": -1, "best": best}, kind) == "a"
    assert find_metadata_fault({"a": 1}, kind) is None
    assert find_metadata_fault({"a": 1, "best": {"update": -3, "sha256": "ab"}}, kind) == "update"
    assert find_metadata_fault({"a": 1, "best": 7}, kind) == "best"


def test_invalid_metadata_ends_in_recurra_error(checkpoint: Path) -> None:
    tensors, metadata = tensor_file.read(checkpoint)
    metadata.pop("sha256")
    data = checkpoint.read_bytes()
    run = checkpoint.parents[1]
    paths = [path for path in places(metadata) if path[0] in ("progress", "text", "best") or len(path) == 1]
    for number, path in enumerate(paths):
        changed = copy.deepcopy(metadata)
        table = changed
        for name in path[:-1]:
            table = table[name]
        table[path[-1]] = WRONG[number % len(WRONG)]
        if number % 4 == 0:
            del table[path[-1]]
        tensor_file.write(checkpoint, tensors, changed)
        try:
            recurra.train(run=run, resume=True, updates=30, report=False, proof=False)
        except RecurraError as error:
            assert len(str(error)) < 1000  # noqa: PT017 - most end so, some in success
        for other in checkpoint.parent.iterdir():
            other.unlink()
        checkpoint.write_bytes(data)

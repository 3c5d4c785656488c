"""The checkpoint folder: the newest checkpoints and the best model, each a complete file."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra.errors import StorageError
from recurra.io import atomic_write, tensor_file
from recurra.runs import checkpoints
from recurra.runs.checkpoints import CheckpointFolder
from recurra.runs.layout import BEST, CHECKPOINTS, LATEST
from recurra.runs.saved_model import load
from recurra.training.snapshot import Snapshot
from small_training import make_trainer

TABLE: dict[str, Any] = {"training": {"seed": 7}, "text": {"name": "bad"}}


def snapshots(*updates: int, **settings: Any) -> list[Snapshot]:
    """Return the snapshots of one training at these updates."""
    trainer = make_trainer(updates=max(updates), log_every=1, sample_every=0, **settings)
    taken = [trainer.snapshot()] if 0 in updates else []
    for _ in trainer.events():
        if trainer.update in updates and trainer.update not in [snapshot.update for snapshot in taken]:
            taken.append(trainer.snapshot())
    return taken


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_checkpoint_contains_every_array_and_progress(tmp_path: Path, engine: str) -> None:
    (snapshot,) = snapshots(7, engine=engine)
    path = CheckpointFolder(tmp_path, keep=3).commit(snapshot, TABLE, None)
    assert path == tmp_path / CHECKPOINTS / "update-000000000007.safetensors"
    tensors, metadata = tensor_file.read(path)
    expected = {
        **{f"parameters.{name}": array for name, array in snapshot.parameters.items()},
        **{f"optimizer.squares.{name}": snapshot.optimizer_state[f"squares.{name}"] for name in snapshot.parameters},
        "state.h": snapshot.state.h,
        "vocabulary": snapshot.model.vocabulary.code_points,
    }
    assert set(tensors) == set(expected)
    for name, array in expected.items():
        assert tensors[name].dtype == array.dtype
        assert tensors[name].tobytes() == array.tobytes()
    assert tensors["parameters.V"].dtype == (np.float32 if engine == "compiled" else np.float64)
    assert metadata["progress"] == snapshot.progress
    assert metadata["training"] == {"seed": 7}
    assert metadata["model"] == snapshot.model.config.to_table()
    assert load(path).sha256 == snapshot.model.sha256
    assert load(tmp_path).sha256 == snapshot.model.sha256


def test_latest_json_has_name_and_sha256(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, keep=3)
    for snapshot in snapshots(1, 2):
        path = folder.commit(snapshot, TABLE, None)
        latest = json.loads((folder.path / LATEST).read_text())
        assert latest == {
            "file": path.name,
            "sha256": tensor_file.read(path)[1]["sha256"],
            "update": snapshot.update,
        }


@pytest.mark.parametrize("keep", [1, 2, 4])
def test_only_newest_checkpoints_are_kept(tmp_path: Path, keep: int) -> None:
    folder = CheckpointFolder(tmp_path, keep=keep)
    for snapshot in snapshots(8, 9, 10, 11):
        folder.commit(snapshot, TABLE, snapshot if snapshot.update == 8 else None)
    newest = [f"update-{update:012d}.safetensors" for update in (8, 9, 10, 11)][-keep:]
    assert names(folder.path) == sorted([*newest, BEST, LATEST])


def test_best_model_is_written_only_when_new(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, keep=1)
    first, second, third = snapshots(3, 4, 5)
    folder.commit(second, TABLE, first)
    before = (folder.path / BEST).read_bytes()
    assert tensor_file.read(folder.path / BEST)[1]["progress"]["update"] == 3
    folder.commit(third, TABLE, None)
    assert (folder.path / BEST).read_bytes() == before
    assert load(tmp_path).sha256 == first.model.sha256


def test_temporary_files_are_removed(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINTS).mkdir()
    (tmp_path / CHECKPOINTS / f"{atomic_write.STAGING}1-0").write_text("half")
    (tmp_path / CHECKPOINTS / "mine.txt").write_text("mine")
    assert names(CheckpointFolder(tmp_path, keep=1).path) == ["mine.txt"]


@pytest.mark.parametrize("which", [0, 1, 2, 3])
def test_failed_commit_keeps_previous_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: int) -> None:
    folder = CheckpointFolder(tmp_path, keep=2)
    first, second = snapshots(1, 2)
    folder.commit(first, TABLE, first)
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    replace, calls = Path.replace, []

    def full(path: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) > which:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        with pytest.raises(StorageError, match=r"cannot write .*: No space left on device") as caught:
            folder.commit(second, TABLE, second)
    assert caught.value.exit_code == 7
    new = ["best-000000000002.safetensors", "update-000000000002.safetensors"][:which]
    assert names(folder.path) == sorted({*before, *new})
    for name, data in before.items():
        assert name == LATEST or (folder.path / name).read_bytes() == data
    load(tmp_path)
    assert json.loads((folder.path / LATEST).read_text())["update"] == (2 if which == 3 else 1)
    folder.commit(second, TABLE, second)
    assert json.loads((folder.path / LATEST).read_text())["update"] == 2


def test_checkpoint_folder_is_created(tmp_path: Path) -> None:
    assert names(CheckpointFolder(tmp_path / "runs" / "new", keep=1).path) == []


def test_checkpoint_folder_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write `.*file/checkpoints`: `.*/file` is a file, not a folder\."):
        CheckpointFolder(tmp_path / "file", keep=1)


def test_remove_deletes_only_checkpoints(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, keep=3)
    for snapshot in snapshots(0, 1):
        folder.commit(snapshot, TABLE, snapshot)
    (folder.path / "favorite.safetensors").write_bytes(b"mine")
    checkpoints.remove(tmp_path)
    assert names(folder.path) == ["favorite.safetensors"]
    (folder.path / "favorite.safetensors").unlink()
    checkpoints.remove(tmp_path)
    assert names(tmp_path) == []
    checkpoints.remove(tmp_path)  # the folder is already removed

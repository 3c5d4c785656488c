"""Recovery after any interruption: the newest undamaged checkpoint, its best model, and no temporary files."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from recurra.errors import CheckpointError, ModelError
from recurra.io import atomic_write, tensor_file
from recurra.network.parameters import digest
from recurra.runs.checkpoints import CheckpointFolder, best_path
from recurra.runs.layout import BAD, BEST, CHECKPOINTS, LATEST
from recurra.runs.recovery import recover
from recurra.runs.saved_model import load
from recurra.training.snapshot import Snapshot
from small_training import make_trainer

SETTINGS: dict[str, Any] = {"training": {"seed": 7}, "text": {"name": "bad"}}


def snapshots(*updates: int) -> list[Snapshot]:
    """Return the snapshots of one training at these updates."""
    trainer = make_trainer(updates=max(updates), log_every=1, sample_every=0, engine="reference")  # compiles nothing
    taken = {snapshot.update: snapshot for snapshot in (trainer.snapshot() for _ in trainer.events())}
    return [taken[update] for update in updates]


FIRST, SECOND, THIRD = snapshots(1, 2, 3)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Commit three checkpoints, of which the second is the best, and return the run directory."""
    folder = CheckpointFolder(tmp_path, keep=3)
    folder.commit(FIRST, SETTINGS, FIRST)
    folder.commit(SECOND, SETTINGS, SECOND)
    folder.commit(THIRD, SETTINGS, None)
    return tmp_path


def name(update: int) -> str:
    return f"update-{update:012d}.safetensors"


def names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / CHECKPOINTS).iterdir())


def contents(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (run / CHECKPOINTS).iterdir()}


def same(actual: Snapshot, expected: Snapshot) -> bool:
    return (
        digest(actual.tensors()) == digest(expected.tensors())
        and list(actual.parameters) == list(expected.parameters)
        and actual.progress == expected.progress
        and actual.model.sha256 == expected.model.sha256
        and type(actual.state) is type(expected.state)
    )


def test_recovered_snapshot_equals_saved_one(run: Path) -> None:
    before = contents(run)
    recovered = recover(run)
    assert recovered.path == run / CHECKPOINTS / name(3)
    assert same(recovered.snapshot, THIRD)
    assert same(recovered.best, SECOND)
    assert recovered.best_file == recovered.metadata["best"]
    assert recovered.best_file == {"update": 2, "sha256": tensor_file.read(run / CHECKPOINTS / BEST)[1]["sha256"]}
    assert {key: recovered.metadata[key] for key in SETTINGS} == SETTINGS
    assert contents(run) == before


def test_checkpoint_of_latest_json_wins_and_later_ones_are_removed(run: Path) -> None:
    latest = {"file": name(2), "sha256": "", "update": 2}
    (run / CHECKPOINTS / LATEST).write_text(json.dumps(latest))
    assert same(recover(run).snapshot, SECOND)
    assert names(run) == [BEST, LATEST, name(1), name(2)]


@pytest.mark.parametrize(
    "latest", ["", "{", "[]", '{"file": 3}', '{"file": "../x"}', '{"file": "best.safetensors"}', None]
)
def test_newest_checkpoint_is_used_without_latest_json(run: Path, latest: str | None) -> None:
    path = run / CHECKPOINTS / LATEST
    path.unlink() if latest is None else path.write_text(latest)
    assert same(recover(run).snapshot, THIRD)
    assert json.loads(path.read_text()) == {
        "file": name(3), "sha256": tensor_file.read(run / CHECKPOINTS / name(3))[1]["sha256"], "update": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: b"", lambda data: data[:99] + b"\xff" + data[100:]]
)
def test_damaged_checkpoint_is_renamed_and_previous_one_used(run: Path, damage: Callable[[bytes], bytes]) -> None:
    path = run / CHECKPOINTS / name(3)
    path.write_bytes(bad := damage(path.read_bytes()))
    renamed = rf"{name(3)}.* The file is renamed to {BAD}{name(3)}\. recurra tries the previous checkpoint\."
    with pytest.warns(UserWarning, match=renamed):
        recovered = recover(run)
    assert same(recovered.snapshot, SECOND)
    assert (run / CHECKPOINTS / (BAD + name(3))).read_bytes() == bad
    assert names(run) == [BAD + name(3), BEST, LATEST, name(1), name(2)]
    assert same(recover(run).snapshot, SECOND)  # without a second warning


def test_missing_newest_checkpoint_is_warned_of(run: Path) -> None:
    (run / CHECKPOINTS / name(3)).unlink()
    with pytest.warns(UserWarning, match=r"No such file or directory\. recurra tries the previous checkpoint\."):
        assert same(recover(run).snapshot, SECOND)


def test_only_damaged_checkpoints_are_an_error(run: Path) -> None:
    for update in (1, 2, 3):
        (run / CHECKPOINTS / name(update)).write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="cut off"),
        pytest.raises(CheckpointError, match=rf"every checkpoint of `.*` is damaged: {name(3)}, ") as caught,
    ):
        recover(run)
    assert caught.value.exit_code == 6
    assert caught.value.hint == f"train from the beginning: `recurra train TEXT --force --run {run}`."


def test_recovery_without_checkpoint_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no checkpoint to resume from\.") as caught:
        recover(tmp_path)
    assert caught.value.hint == f"train from the beginning: `recurra train TEXT --force --run {tmp_path}`."


def test_model_without_training_state_is_an_error(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINTS).mkdir()
    FIRST.model.save(tmp_path / CHECKPOINTS / name(1))
    with pytest.raises(
        CheckpointError, match="contains a model, but no training state to resume from: 'progress' is missing"
    ):
        recover(tmp_path)


def test_missing_best_model_is_replaced_by_newest(run: Path) -> None:
    (run / CHECKPOINTS / BEST).unlink()
    recovered = recover(run)
    assert same(recovered.best, THIRD)
    assert recovered.best_file is None


def test_best_model_of_uncommitted_checkpoint_is_removed(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, keep=3)
    folder.commit(SECOND, SETTINGS, None)
    folder._write(best_path(folder.path, 1), FIRST, SETTINGS)  # the run was killed before the next checkpoint
    recovered = recover(tmp_path)
    assert same(recovered.best, SECOND)
    assert recovered.best_file is None
    assert names(tmp_path) == [LATEST, name(2)]


def test_best_model_of_later_checkpoint_is_kept(run: Path) -> None:
    folder = CheckpointFolder(run, keep=3)
    folder.commit(SECOND, SETTINGS, FIRST)
    folder.commit(THIRD, SETTINGS, THIRD)
    (run / CHECKPOINTS / name(3)).write_bytes(b"")
    with pytest.warns(UserWarning, match="cut off"):
        recovered = recover(run)
    assert same(recovered.snapshot, SECOND)
    assert same(recovered.best, THIRD)
    assert recovered.best_file is not None
    assert recovered.best_file["update"] == 3


def test_recovery_removes_temporary_files(run: Path) -> None:
    folder = run / CHECKPOINTS
    best_path(folder, 4).write_bytes(b"of a checkpoint that was never written")
    for place in (folder, run):
        (place / f"{atomic_write.STAGING}1-0").write_bytes(b"half")
    (folder / "favorite.safetensors").write_bytes(b"mine")
    recover(run)
    assert names(run) == [BEST, "favorite.safetensors", LATEST, name(1), name(2), name(3)]
    assert list(run.iterdir()) == [folder]


class Dead(BaseException):
    """The simulated death of the process."""


PATCHED = (
    (Path, "open"), (Path, "read_bytes"), (Path, "replace"), (Path, "unlink"), (Path, "mkdir"), (Path, "exists"),
    (Path, "glob"), (os, "open"), (os, "fsync"), (os, "close"),
)  # fmt: skip


class Dying:
    """A file system in which the process dies at its call number `last`, counted from 1, and at every later call."""

    def __init__(self, last: int) -> None:
        self.last, self.calls = last, 0

    def step(self) -> None:
        self.calls += 1
        if self.calls >= self.last:
            raise Dead

    @contextmanager
    def patched(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for owner, method in PATCHED:
                patch.setattr(
                    owner, method, self._counted(getattr(owner, method), opens=(owner, method) == (Path, "open"))
                )
            yield

    def _counted(self, real: Callable[..., Any], *, opens: bool) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.step()
            result = real(*arguments, **named)
            return DyingFile(result, self) if opens else result

        return call


class DyingFile:
    """An open file whose writer may die in the middle of a write."""

    def __init__(self, file: Any, dying: Dying) -> None:
        self._file, self._dying = file, dying

    def __enter__(self) -> DyingFile:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._file, attribute)

    def write(self, data: bytes) -> None:
        try:
            self._dying.step()
        except Dead:
            self._file.write(data[: len(data) // 2])
            raise
        self._file.write(data)


def dies(call: int, work: Callable[[], Any]) -> bool:
    """Return True if `work` dies at this call, False if it ends before."""
    dying = Dying(call)
    with dying.patched():
        try:
            work()
        except Dead:
            return True
    return False


def test_commit_flushes_each_file_before_its_rename(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flush and read back each file before its rename, and flush the folder after it."""
    calls: list[str] = []
    real_fsync, real_read, real_replace = os.fsync, Path.read_bytes, Path.replace

    def fsync(handle: int) -> None:
        calls.append("flush folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "flush file")
        real_fsync(handle)

    def read(path: Path) -> bytes:
        calls.append("read")
        return real_read(path)

    def replace(path: Path, target: Path) -> Path:
        calls.append(target.name)
        return real_replace(path, target)

    folder = CheckpointFolder(run, keep=3)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "read_bytes", read)
    monkeypatch.setattr(Path, "replace", replace)
    folder.commit(THIRD, SETTINGS, THIRD)
    safely = [
        ["flush file", "read", target, "flush folder"] for target in ("best-000000000003.safetensors", name(3), LATEST)
    ]
    assert calls == [*itertools.chain(*safely), BEST, "flush folder"]


@pytest.mark.parametrize("best", [None, THIRD, SECOND], ids=["no new best", "checkpoint is best", "previous is best"])
def test_crash_at_any_call_of_commit_leaves_old_or_new_state(tmp_path: Path, best: Snapshot | None) -> None:
    old = tmp_path / "old"
    old.mkdir()
    CheckpointFolder(old, keep=1).commit(FIRST, SETTINGS, FIRST)
    CheckpointFolder(old, keep=1, best={"update": 1, "sha256": "ab" * 32}).commit(SECOND, SETTINGS, None)
    old_states, new_states = 0, 0
    for call in range(1, 200):
        run = tmp_path / "run"
        shutil.copytree(old, run)
        folder = CheckpointFolder(run, keep=1, best={"update": 1, "sha256": "ab" * 32})
        died = dies(call, partial(folder.commit, THIRD, SETTINGS, best))
        load(run)
        recovered = recover(run)
        update = recovered.snapshot.update
        assert same(recovered.snapshot, THIRD if update == 3 else SECOND)
        assert same(recovered.best, FIRST if update == 2 or best is None else best)
        assert {path for path in names(run) if path.startswith((atomic_write.STAGING, "best-"))} == set()
        assert json.loads((run / CHECKPOINTS / LATEST).read_text())["update"] == update
        assert same(recover(run).snapshot, recovered.snapshot)
        shutil.rmtree(run)
        old_states, new_states = old_states + (update == 2), new_states + (update == 3)
        if not died:
            assert update == 3
            break
    assert old_states > 10
    assert new_states > 3


def test_recovery_can_be_repeated_after_crash_at_any_call(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    folder = CheckpointFolder(old, keep=3)
    folder.commit(FIRST, SETTINGS, FIRST)
    folder.commit(SECOND, SETTINGS, SECOND)
    (old / CHECKPOINTS / BEST).replace(
        best_path(old / CHECKPOINTS, 2)
    )  # the run was killed before the last step of the commit
    folder._write(best_path(old / CHECKPOINTS, 3), THIRD, SETTINGS)
    folder._write(old / CHECKPOINTS / name(3), THIRD, SETTINGS)
    for call in range(1, 200):
        run = tmp_path / "run"
        shutil.copytree(old, run)
        died = dies(call, partial(recover, run))
        recovered = recover(run)
        assert same(recovered.snapshot, SECOND)
        assert same(recovered.best, SECOND)
        assert names(run) == [BEST, LATEST, name(1), name(2)]
        shutil.rmtree(run)
        if not died:
            break
    assert call > 10

"""The way back from whatever a run left: the newest whole checkpoint, its best model, and nothing half done."""

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
    """One snapshot at each of these numbers of updates of one training."""
    trainer = make_trainer(updates=max(updates), log_every=1, sample_every=0, engine="reference")  # compiles nothing
    taken = {snapshot.update: snapshot for snapshot in (trainer.snapshot() for _ in trainer.events())}
    return [taken[update] for update in updates]


FIRST, SECOND, THIRD = snapshots(1, 2, 3)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three checkpoints; the second is the best."""
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


def same(found: Snapshot, expected: Snapshot) -> bool:
    return (
        digest(found.tensors()) == digest(expected.tensors())
        and list(found.parameters) == list(expected.parameters)
        and found.progress == expected.progress
        and found.model.sha256 == expected.model.sha256
        and type(found.state) is type(expected.state)
    )


def test_a_snapshot_comes_back_as_it_was(run: Path) -> None:
    before = contents(run)
    found = recover(run)
    assert found.path == run / CHECKPOINTS / name(3)
    assert same(found.snapshot, THIRD)
    assert same(found.best, SECOND)
    assert found.best_file == found.metadata["best"]
    assert found.best_file == {"update": 2, "sha256": tensor_file.read(run / CHECKPOINTS / BEST)[1]["sha256"]}
    assert {key: found.metadata[key] for key in SETTINGS} == SETTINGS
    assert contents(run) == before


def test_latest_decides_and_what_is_later_is_no_part_of_the_run(run: Path) -> None:
    latest = {"file": name(2), "sha256": "", "update": 2}
    (run / CHECKPOINTS / LATEST).write_text(json.dumps(latest))
    assert same(recover(run).snapshot, SECOND)
    assert names(run) == [BEST, LATEST, name(1), name(2)]


@pytest.mark.parametrize(
    "latest", ["", "{", "[]", '{"file": 3}', '{"file": "../x"}', '{"file": "best.safetensors"}', None]
)
def test_without_latest_the_newest_is_it(run: Path, latest: str | None) -> None:
    path = run / CHECKPOINTS / LATEST
    path.unlink() if latest is None else path.write_text(latest)
    assert same(recover(run).snapshot, THIRD)
    assert json.loads(path.read_text()) == {
        "file": name(3), "sha256": tensor_file.read(run / CHECKPOINTS / name(3))[1]["sha256"], "update": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: b"", lambda data: data[:99] + b"\xff" + data[100:]]
)
def test_a_damaged_newest_is_set_aside_and_the_one_before_used(run: Path, damage: Callable[[bytes], bytes]) -> None:
    path = run / CHECKPOINTS / name(3)
    path.write_bytes(bad := damage(path.read_bytes()))
    with pytest.warns(
        UserWarning, match=rf"{name(3)}.* It is set aside as {BAD}{name(3)}, and the one before is used\."
    ):
        found = recover(run)
    assert same(found.snapshot, SECOND)
    assert (run / CHECKPOINTS / (BAD + name(3))).read_bytes() == bad
    assert names(run) == [BAD + name(3), BEST, LATEST, name(1), name(2)]
    assert same(recover(run).snapshot, SECOND)  # and nothing is to be warned of any more


def test_a_newest_that_is_gone_is_told_too(run: Path) -> None:
    (run / CHECKPOINTS / name(3)).unlink()
    with pytest.warns(UserWarning, match=r"No such file or directory\. The one before is used\."):
        assert same(recover(run).snapshot, SECOND)


def test_none_that_is_whole(run: Path) -> None:
    for update in (1, 2, 3):
        (run / CHECKPOINTS / name(update)).write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="cut off"),
        pytest.raises(CheckpointError, match=rf"no checkpoint of `.*` is whole: {name(3)}, ") as caught,
    ):
        recover(run)
    assert caught.value.exit_code == 6
    assert caught.value.hint == "`--force` trains anew in its folder."


def test_none_at_all(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no checkpoint to go on from\.") as caught:
        recover(tmp_path)
    assert caught.value.hint == "leave out `--resume`: `--force` trains there anew."


def test_a_model_that_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINTS).mkdir()
    FIRST.model.save(tmp_path / CHECKPOINTS / name(1))
    with pytest.raises(CheckpointError, match="holds a model, but not what its training needs to go on: 'progress'"):
        recover(tmp_path)


def test_a_best_model_that_is_lost_is_stood_in_for(run: Path) -> None:
    (run / CHECKPOINTS / BEST).unlink()
    found = recover(run)
    assert same(found.best, THIRD)
    assert found.best_file is None


def test_a_best_model_that_waits_for_another_checkpoint_is_not_taken(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, keep=3)
    folder.commit(SECOND, SETTINGS, None)
    folder._write(best_path(folder.path, 1), FIRST, SETTINGS)  # and it died before it wrote the next checkpoint
    found = recover(tmp_path)
    assert same(found.best, SECOND)
    assert found.best_file is None
    assert names(tmp_path) == [LATEST, name(2)]


def test_a_best_model_of_later_updates_is_kept(run: Path) -> None:
    folder = CheckpointFolder(run, keep=3)
    folder.commit(SECOND, SETTINGS, FIRST)
    folder.commit(THIRD, SETTINGS, THIRD)
    (run / CHECKPOINTS / name(3)).write_bytes(b"")
    with pytest.warns(UserWarning, match="cut off"):
        found = recover(run)
    assert same(found.snapshot, SECOND)
    assert same(found.best, THIRD)
    assert found.best_file is not None
    assert found.best_file["update"] == 3


def test_what_belongs_to_no_checkpoint_is_swept(run: Path) -> None:
    folder = run / CHECKPOINTS
    best_path(folder, 4).write_bytes(b"of a checkpoint that was never written")
    for place in (folder, run):
        (place / f"{atomic_write.STAGING}1-0").write_bytes(b"half")
    (folder / "favorite.safetensors").write_bytes(b"mine")
    recover(run)
    assert names(run) == [BEST, "favorite.safetensors", LATEST, name(1), name(2), name(3)]
    assert list(run.iterdir()) == [folder]


class Dead(BaseException):
    """The process is no more."""


PATCHED = (
    (Path, "open"), (Path, "read_bytes"), (Path, "replace"), (Path, "unlink"), (Path, "mkdir"), (Path, "exists"),
    (Path, "glob"), (os, "open"), (os, "fsync"), (os, "close"),
)  # fmt: skip


class Dying:
    """The file system as a process sees it that dies at call number `last`, from 1: it does no other after that."""

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
            found = real(*arguments, **named)
            return DyingFile(found, self) if opens else found

        return call


class DyingFile:
    """An open file whose writer may die half way."""

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
    """Whether `work` dies at that call, and does not end before."""
    dying = Dying(call)
    with dying.patched():
        try:
            work()
        except Dead:
            return True
    return False


def test_a_commit_flushes_all_that_it_counts_on(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a name is given, the file is flushed and read back; after it, the folder is flushed."""
    told: list[str] = []
    real_fsync, real_read, real_replace = os.fsync, Path.read_bytes, Path.replace

    def fsync(handle: int) -> None:
        told.append("flush folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "flush file")
        real_fsync(handle)

    def read(path: Path) -> bytes:
        told.append("read")
        return real_read(path)

    def replace(path: Path, target: Path) -> Path:
        told.append(target.name)
        return real_replace(path, target)

    folder = CheckpointFolder(run, keep=3)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "read_bytes", read)
    monkeypatch.setattr(Path, "replace", replace)
    folder.commit(THIRD, SETTINGS, THIRD)
    safely = [
        ["flush file", "read", target, "flush folder"] for target in ("best-000000000003.safetensors", name(3), LATEST)
    ]
    assert told == [*itertools.chain(*safely), BEST, "flush folder"]


@pytest.mark.parametrize("best", [None, THIRD, SECOND], ids=["no new best", "it is the best", "the one before is"])
def test_a_commit_that_dies_at_any_call_leaves_the_old_state_or_the_new(tmp_path: Path, best: Snapshot | None) -> None:
    old = tmp_path / "old"
    old.mkdir()
    CheckpointFolder(old, keep=1).commit(FIRST, SETTINGS, FIRST)
    CheckpointFolder(old, keep=1, best={"update": 1, "sha256": "ab" * 32}).commit(SECOND, SETTINGS, None)
    found_old, found_new = 0, 0
    for call in range(1, 200):
        run = tmp_path / "run"
        shutil.copytree(old, run)
        folder = CheckpointFolder(run, keep=1, best={"update": 1, "sha256": "ab" * 32})
        died = dies(call, partial(folder.commit, THIRD, SETTINGS, best))
        load(run)
        found = recover(run)
        update = found.snapshot.update
        assert same(found.snapshot, THIRD if update == 3 else SECOND)
        assert same(found.best, FIRST if update == 2 or best is None else best)
        assert {path for path in names(run) if path.startswith((atomic_write.STAGING, "best-"))} == set()
        assert json.loads((run / CHECKPOINTS / LATEST).read_text())["update"] == update
        assert same(recover(run).snapshot, found.snapshot)
        shutil.rmtree(run)
        found_old, found_new = found_old + (update == 2), found_new + (update == 3)
        if not died:
            assert update == 3
            break
    assert found_old > 10
    assert found_new > 3


def test_a_recovery_that_dies_at_any_call_can_be_done_again(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    folder = CheckpointFolder(old, keep=3)
    folder.commit(FIRST, SETTINGS, FIRST)
    folder.commit(SECOND, SETTINGS, SECOND)
    (old / CHECKPOINTS / BEST).replace(best_path(old / CHECKPOINTS, 2))  # it died before the last step
    folder._write(best_path(old / CHECKPOINTS, 3), THIRD, SETTINGS)
    folder._write(old / CHECKPOINTS / name(3), THIRD, SETTINGS)
    for call in range(1, 200):
        run = tmp_path / "run"
        shutil.copytree(old, run)
        died = dies(call, partial(recover, run))
        found = recover(run)
        assert same(found.snapshot, SECOND)
        assert same(found.best, SECOND)
        assert names(run) == [BEST, LATEST, name(1), name(2)]
        shutil.rmtree(run)
        if not died:
            break
    assert call > 10

"""Checkpoint files, each written atomically; a run keeps the latest few and the best model.

A crash at any point of a commit leaves a run that can be resumed. A commit writes a new best model under a temporary
name, and replaces best.safetensors only after latest.json names the checkpoint of this best model. `recovery`
completes an interrupted commit.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from recurra.io import atomic_write, tensor_file
from recurra.runs.layout import BAD, BEST, BESTS, CHECKPOINTS, LATEST, START, UPDATES, numbered
from recurra.training.snapshot import Snapshot


def remove(run: Path) -> None:
    """Remove the checkpoints of a run, and their folder if it is then empty. Raises OSError."""
    folder = run / CHECKPOINTS
    patterns = (UPDATES, BESTS, f"{BAD}*.safetensors")
    ours = [path for pattern in patterns for path in folder.glob(pattern)]
    for path in [*ours, *(folder / name for name in (BEST, START, LATEST))]:
        path.unlink(missing_ok=True)
    atomic_write.remove_staged(folder)
    with contextlib.suppress(OSError):
        folder.rmdir()


class CheckpointFolder:
    """The folder `checkpoints/` of a run: `update-….safetensors`, `latest.json`, `best.safetensors`.

    `best` is the update and the sha256 of the best model's file in a resumed run, else None.
    """

    def __init__(self, run: Path, keep: int, best: dict[str, Any] | None = None) -> None:
        self.path = run / CHECKPOINTS
        self._keep, self._best = keep, best
        with atomic_write.storage_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            atomic_write.sync_folder(run)
        atomic_write.remove_staged(self.path)

    def commit(self, snapshot: Snapshot, settings: dict[str, Any], best: Snapshot | None) -> Path:
        """Write a new `best` model if there is one, `snapshot` and latest.json; then remove old checkpoints.

        Returns the path of the checkpoint.
        """
        if best is not None:
            digest = self._write(best_path(self.path, best.update), best, settings)
            self._best = {"update": best.update, "sha256": digest}
        path = self.path / numbered(UPDATES, snapshot.update)
        digest = self._write(path, snapshot, settings | {"best": self._best})
        write_latest(path, snapshot.update, digest)
        if self._best is not None:
            put_best_in_place(self.path, self._best["update"])
        self._prune()
        return path

    def _write(self, path: Path, snapshot: Snapshot, settings: dict[str, Any]) -> str:
        metadata = {**snapshot.model.metadata(), **settings, "progress": snapshot.progress}
        return tensor_file.write(path, snapshot.tensors(), metadata)

    def _prune(self) -> None:
        for old in sorted(self.path.glob(UPDATES))[: -self._keep]:
            with contextlib.suppress(OSError):
                old.unlink()


def write_latest(path: Path, update: int, digest: str) -> None:
    """Write latest.json, which names the checkpoint `path`."""
    latest = {"file": path.name, "sha256": digest, "update": update}
    atomic_write.write(path.parent / LATEST, json.dumps(latest).encode() + b"\n")


def best_path(folder: Path, update: int) -> Path:
    """Return the temporary path of the best model of `update`, until latest.json names its checkpoint."""
    return folder / numbered(BESTS, update)


def put_best_in_place(folder: Path, update: int) -> None:
    """Rename the best model of `update` to best.safetensors, if it still has its temporary name."""
    path = best_path(folder, update)
    with atomic_write.storage_errors(folder / BEST):
        if path.exists():
            path.replace(folder / BEST)
            atomic_write.sync_folder(folder)

"""Checkpoints: one file each, atomically written; the latest few and the best are kept.

The order of a commit lets it be cut off anywhere: a new best model lies beside the old one until latest.json names the
checkpoint that goes with it, and takes its place only then. `recovery` puts right what was cut off.
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
    """Remove the checkpoints of a run, and their folder unless something else lies there; may raise OSError."""
    folder = run / CHECKPOINTS
    patterns = (UPDATES, BESTS, f"{BAD}*.safetensors")
    ours = [path for pattern in patterns for path in folder.glob(pattern)]
    for path in [*ours, *(folder / name for name in (BEST, START, LATEST))]:
        path.unlink(missing_ok=True)
    atomic_write.remove_staged(folder)
    with contextlib.suppress(OSError):
        folder.rmdir()


class CheckpointFolder:
    """`checkpoints/` of a run: `update-….safetensors`, `latest.json`, `best.safetensors`.

    `best` says which model best.safetensors holds where a run goes on: its update and its sha256.
    """

    def __init__(self, run: Path, keep: int, best: dict[str, Any] | None = None) -> None:
        self.path = run / CHECKPOINTS
        self._keep, self._best = keep, best
        with atomic_write.storage_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            atomic_write.sync_folder(run)
        atomic_write.remove_staged(self.path)

    def commit(self, snapshot: Snapshot, settings: dict[str, Any], best: Snapshot | None) -> Path:
        """Write `best` where there is a new one, and `snapshot`; name the latest; put the best in place; prune."""
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
    """Let latest.json name the checkpoint `path`."""
    latest = {"file": path.name, "sha256": digest, "update": update}
    atomic_write.write(path.parent / LATEST, json.dumps(latest).encode() + b"\n")


def best_path(folder: Path, update: int) -> Path:
    """Where the best model, that of `update`, waits for its checkpoint."""
    return folder / numbered(BESTS, update)


def put_best_in_place(folder: Path, update: int) -> None:
    """Let the best model of `update` be best.safetensors, if it waits for that."""
    path = best_path(folder, update)
    with atomic_write.storage_errors(folder / BEST):
        if path.exists():
            path.replace(folder / BEST)
            atomic_write.sync_folder(folder)

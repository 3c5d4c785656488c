"""Checkpoints: one file each, atomically written; the latest few and the best are kept."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from recurra import tensor_file
from recurra.model import BEST, CHECKPOINTS, LanguageModel
from recurra.network.network import State

Array = NDArray[Any]
LATEST = "latest.json"
UPDATES = "update-*.safetensors"


@dataclass(frozen=True)
class Snapshot:
    """All that training needs to go on: the engine's arrays, and `progress`, which is plain JSON."""

    model: LanguageModel
    parameters: dict[str, Array]
    optimizer_state: dict[str, Array]
    state: State
    progress: dict[str, Any]

    @property
    def update(self) -> int:
        """How many updates were done."""
        return int(self.progress["update"])

    def tensors(self) -> dict[str, Array]:
        """Every array by the name it has in the file; the parameters in the engine's own precision."""
        return {
            **self.model.tensors(),
            **{f"parameters.{name}": array for name, array in self.parameters.items()},
            **{f"optimizer.{name}": array for name, array in self.optimizer_state.items()},
            **{f"state.{name}": array for name, array in self.state._asdict().items()},
        }


def remove(run: Path) -> None:
    """Remove the checkpoints of a run, and their folder unless something else lies there; may raise OSError."""
    folder = run / CHECKPOINTS
    for path in [*folder.glob(UPDATES), folder / BEST, folder / LATEST]:
        path.unlink(missing_ok=True)
    tensor_file.sweep(folder)
    with contextlib.suppress(OSError):
        folder.rmdir()


class CheckpointFolder:
    """`checkpoints/` of a run: `update-….safetensors`, `latest.json`, `best.safetensors`."""

    def __init__(self, run: Path, keep: int) -> None:
        self.path = run / CHECKPOINTS
        self._keep = keep
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise tensor_file.storage_error(self.path, error) from error
        tensor_file.sweep(self.path)

    def commit(self, snapshot: Snapshot, settings: dict[str, Any], best: Snapshot | None) -> Path:
        """Write `snapshot`, then `best` where there is a new one, then name the latest; prune the oldest at last."""
        path = self.path / f"update-{snapshot.update:012d}.safetensors"
        digest = self._write(path, snapshot, settings)
        if best is not None:
            self._write(self.path / BEST, best, settings)
        latest = {"file": path.name, "sha256": digest, "update": snapshot.update}
        try:
            tensor_file.write_bytes(self.path / LATEST, json.dumps(latest).encode() + b"\n")
        except OSError as error:
            raise tensor_file.storage_error(self.path / LATEST, error) from error
        self._prune()
        return path

    def _write(self, path: Path, snapshot: Snapshot, settings: dict[str, Any]) -> str:
        metadata = {**snapshot.model.metadata(), **settings, "progress": snapshot.progress}
        return tensor_file.write(path, snapshot.tensors(), metadata)

    def _prune(self) -> None:
        for old in sorted(self.path.glob(UPDATES))[: -self._keep]:
            with contextlib.suppress(OSError):
                old.unlink()

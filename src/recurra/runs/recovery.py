"""Find the checkpoint from which a run resumes after any kind of end, and repair the run directory."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from recurra.errors import CheckpointError, ModelError, RecurraError
from recurra.io import atomic_write, bounded_io, tensor_file
from recurra.model import OPTIMIZER, PREFIX, from_tensors, named
from recurra.network.parameters import parameter_shapes
from recurra.network.state import state_of
from recurra.runs.checkpoint_schema import PROGRESS, find_metadata_fault
from recurra.runs.checkpoints import best_path, put_best_in_place, write_latest
from recurra.runs.layout import BAD, BEST, BESTS, CHECKPOINTS, LATEST, START, UPDATES, train_command
from recurra.training.snapshot import Array, Snapshot


class RecoveredCheckpoint(NamedTuple):
    """The checkpoint from which a run resumes, the metadata of its file, and the best model so far.

    `best_file` has the update and the sha256 of the best model's file. If this file is missing or damaged, `best` is
    the model of the checkpoint, and `best_file` is None.
    """

    path: Path
    snapshot: Snapshot
    metadata: dict[str, Any]
    best: Snapshot
    best_file: dict[str, Any] | None


def recover(run: Path) -> RecoveredCheckpoint:
    """Return the checkpoint that latest.json names, or if it is damaged, the newest undamaged one; repair the folder.

    A damaged checkpoint is renamed, with a warning. Raises ModelError if `run` has no checkpoint, CheckpointError if
    every checkpoint is damaged, StorageError if the folder cannot be repaired.
    """
    damaged = []
    for path in _candidates(run / CHECKPOINTS):
        try:
            tensors, metadata = tensor_file.read(path)
        except RecurraError as error:
            damaged.append(path.name)
            _set_aside(path, error)
            continue
        snapshot = restore_snapshot(path, tensors, metadata)
        best = _best(path.parent, metadata)
        recovered = RecoveredCheckpoint(path, snapshot, metadata, *(best or (snapshot, None)))
        _repair(recovered)
        return recovered
    hint = f"train from the beginning: `{train_command('TEXT --force', run)}`."
    if damaged:
        raise CheckpointError(f"every checkpoint of `{run}` is damaged: {', '.join(damaged)}.", hint=hint)
    raise ModelError(f"`{run}` has no checkpoint to resume from.", hint=hint)


def has_no_checkpoint(run: Path) -> bool:
    """Return True if `run` ended before its first checkpoint.

    Its checkpoint folder is then empty, or has only the start model and files of an interrupted commit.
    """
    early = (START, BESTS, f"{atomic_write.STAGING}*")
    files = (run / CHECKPOINTS).glob("*")
    return all(any(path.match(pattern) for pattern in early) for path in files)


def _candidates(folder: Path) -> Iterator[Path]:
    """Yield the checkpoint that latest.json names, and then all others, newest first."""
    named_latest = _latest(folder)
    if named_latest is not None:
        yield named_latest
    yield from (path for path in sorted(folder.glob(UPDATES), reverse=True) if path != named_latest)


def _latest(folder: Path) -> Path | None:
    """Return the path of the checkpoint that latest.json names; None if latest.json is missing or invalid."""
    try:
        name = bounded_io.parse_json(bounded_io.read(folder / LATEST, bounded_io.MAX_TEXT_BYTES))["file"]
        return folder / name if (folder / name).match(UPDATES) and Path(name).name == name else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _set_aside(path: Path, error: RecurraError) -> None:
    try:
        path.replace(path.with_name(BAD + path.name))
        renamed = f" The file is renamed to {BAD}{path.name}."
    except OSError:
        renamed = ""
    warnings.warn(f"{error.message}{renamed} recurra tries the previous checkpoint.", stacklevel=4)


def restore_snapshot(path: Path, tensors: dict[str, Array], metadata: dict[str, Any]) -> Snapshot:
    """Return the snapshot in the file `path`, which contains `tensors` and `metadata`.

    Raises CheckpointError if the file has no valid training state.
    """
    model = from_tensors(path, tensors, metadata)
    fault = find_metadata_fault(metadata, PROGRESS)
    try:
        if fault is not None:
            raise KeyError(fault)
        arrays, progress = named(tensors, PREFIX), metadata["progress"]
        # Sums over all parameters follow this order.
        parameters = {name: arrays[name] for name in parameter_shapes(model.config, len(model.vocabulary))}
        state = state_of(model.config, tensors)
        return Snapshot(model, parameters, named(tensors, OPTIMIZER), state, {**progress, "update": progress["update"]})
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            f"`{path}` contains a model, but no training state to resume from: {error} is missing or invalid."
        ) from error


def _best(folder: Path, metadata: dict[str, Any]) -> tuple[Snapshot, dict[str, Any]] | None:
    """Return the best model at a checkpoint, and the update and sha256 of its file; None if no file is readable.

    After an interrupted commit, the file still has its temporary name, or best.safetensors has a later model.
    """
    update = (metadata.get("best") or {"update": 0})["update"]
    for path in (best_path(folder, update), folder / BEST):
        with contextlib.suppress(RecurraError):
            tensors, best_metadata = tensor_file.read(path)
            snapshot = restore_snapshot(path, tensors, best_metadata)
            return snapshot, {"update": snapshot.update, "sha256": best_metadata["sha256"]}
    return None


def _repair(recovered: RecoveredCheckpoint) -> None:
    """Complete the commit of a checkpoint; remove later checkpoints, other best models and temporary files."""
    folder = recovered.path.parent
    put_best_in_place(folder, recovered.best.update)
    write_latest(recovered.path, recovered.snapshot.update, recovered.metadata["sha256"])
    later = [path for path in folder.glob(UPDATES) if path.name > recovered.path.name]
    for path in [*later, *folder.glob(BESTS)]:
        with contextlib.suppress(OSError):
            path.unlink()
    for place in (folder, folder.parent):
        atomic_write.remove_staged(place)

"""Find the checkpoint from which a run resumes, wherever the run ended, and repair its directory."""

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
from recurra.runs.layout import BAD, BEST, BESTS, CHECKPOINTS, LATEST, START, UPDATES
from recurra.training.snapshot import Array, Snapshot


class RecoveredCheckpoint(NamedTuple):
    """A checkpoint to go on from and what its file says; the best model that goes with it, and what names its file.

    Where the best model has got lost, it is the checkpoint's own, which has no file as such: None.
    """

    path: Path
    snapshot: Snapshot
    metadata: dict[str, Any]
    best: Snapshot
    best_file: dict[str, Any] | None


def recover(run: Path) -> RecoveredCheckpoint:
    """The checkpoint that latest.json names, else the newest that is whole; its folder is put in order for it.

    A damaged one is set aside with a warning. Raises ModelError where `run` has no checkpoint, CheckpointError where
    none is whole, StorageError where the folder cannot be put in order.
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
        found = RecoveredCheckpoint(path, snapshot, metadata, *(best or (snapshot, None)))
        _put_in_order(found)
        return found
    if damaged:
        raise CheckpointError(
            f"no checkpoint of `{run}` is whole: {', '.join(damaged)}.",
            hint="`--force` trains anew in its folder.",
        )
    raise ModelError(
        f"`{run}` has no checkpoint to go on from.", hint="leave out `--resume`: `--force` trains there anew."
    )


def has_no_checkpoint(run: Path) -> bool:
    """Return True if `run` ended before its first checkpoint: there is none, whole or not, and none was removed."""
    early = (START, BESTS, f"{atomic_write.STAGING}*")
    files = (run / CHECKPOINTS).glob("*")
    return all(any(path.match(pattern) for pattern in early) for path in files)


def _candidates(folder: Path) -> Iterator[Path]:
    """The checkpoint that latest.json names, and then all others, newest first."""
    named_latest = _latest(folder)
    if named_latest is not None:
        yield named_latest
    yield from (path for path in sorted(folder.glob(UPDATES), reverse=True) if path != named_latest)


def _latest(folder: Path) -> Path | None:
    """What latest.json names; None where it is missing or makes no sense."""
    try:
        name = bounded_io.parse_json(bounded_io.read(folder / LATEST, bounded_io.MAX_TEXT_BYTES))["file"]
        return folder / name if (folder / name).match(UPDATES) and Path(name).name == name else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _set_aside(path: Path, error: RecurraError) -> None:
    kept = f"It is set aside as {BAD}{path.name}, and the"
    try:
        path.replace(path.with_name(BAD + path.name))
    except OSError:
        kept = "The"
    warnings.warn(f"{error.message} {kept} one before is used.", stacklevel=4)


def restore_snapshot(path: Path, tensors: dict[str, Array], metadata: dict[str, Any]) -> Snapshot:
    """The snapshot in the file `path`, whose content this is; CheckpointError where it is none."""
    model = from_tensors(path, tensors, metadata)
    if (wrong := find_metadata_fault(metadata, PROGRESS)) is not None:
        raise CheckpointError(f"`{path}` holds a model, but not what its training needs to go on: {wrong!r}.")
    try:
        own, progress = named(tensors, PREFIX), metadata["progress"]
        # In the order in which sums over all parameters are made.
        parameters = {name: own[name] for name in parameter_shapes(model.config, len(model.vocabulary))}
        state = state_of(model.config, tensors)
        return Snapshot(model, parameters, named(tensors, OPTIMIZER), state, {**progress, "update": progress["update"]})
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"`{path}` holds a model, but not what its training needs to go on: {error}.") from error


def _best(folder: Path, metadata: dict[str, Any]) -> tuple[Snapshot, dict[str, Any]] | None:
    """The best model at a checkpoint: it may still wait for its place, or a later one may already have taken that."""
    update = (metadata.get("best") or {"update": 0})["update"]
    for path in (best_path(folder, update), folder / BEST):
        with contextlib.suppress(RecurraError):
            tensors, own = tensor_file.read(path)
            snapshot = restore_snapshot(path, tensors, own)
            return snapshot, {"update": snapshot.update, "sha256": own["sha256"]}
    return None


def _put_in_order(found: RecoveredCheckpoint) -> None:
    """Finish the commit of a checkpoint, and remove what belongs to none: later ones, and best models that wait."""
    folder = found.path.parent
    put_best_in_place(folder, found.best.update)
    write_latest(found.path, found.snapshot.update, found.metadata["sha256"])
    later = [path for path in folder.glob(UPDATES) if path.name > found.path.name]
    for path in [*later, *folder.glob(BESTS)]:
        with contextlib.suppress(OSError):
            path.unlink()
    for place in (folder, folder.parent):
        atomic_write.remove_staged(place)

"""Resume a run: its checkpoint, its settings, and its text or another one."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recurra.config import ModelConfig, TrainingConfig
from recurra.errors import CheckpointError, UsageError
from recurra.network import growth
from recurra.network.optimizers.averaging import SUM, WEIGHT, average_of
from recurra.runs.checkpoint_schema import SETTINGS, find_metadata_fault
from recurra.runs.layout import CHECKPOINTS, START
from recurra.runs.logs import truncate_logs
from recurra.runs.provenance import read_again
from recurra.runs.recovery import has_no_checkpoint, recover
from recurra.runs.run_toml import change_settings, read_settings, text_table
from recurra.runs.saved_model import load
from recurra.runs.task import Task
from recurra.text import splits
from recurra.text.decoding import check_encoding
from recurra.text.reading import Source
from recurra.text.text import Text
from recurra.text.vocabulary import Vocabulary
from recurra.training.snapshot import ResumePoint, Snapshot


def prepare_resume(
    folder: Path,
    sources: Source | Sequence[Source],
    text: str | Text | None,
    given: Mapping[str, Any],
    encoding: str | None,
    *,
    extend_vocabulary: bool,
) -> Task:
    """Find where the run in `folder` goes on, with the settings `given` changed, and cut its logs back to there.

    Where the model is to `extend_vocabulary`, it learns the characters of another text that it does not know.
    run.toml has the settings that count where a checkpoint's have been changed since; without it, the checkpoint's do.
    A run that ended before its first checkpoint starts again from its beginning, with a warning.
    """
    if has_no_checkpoint(folder) and read_settings(folder)["training"]:
        return _begun_again(folder, sources, text, given, encoding, extend_vocabulary=extend_vocabulary)
    found, tables = recover(folder), read_settings(folder)
    own, snapshot = found.metadata, found.snapshot
    if (wrong := find_metadata_fault(own, SETTINGS)) is not None:
        raise CheckpointError(f"`{found.path}` is no checkpoint of a run: its `{wrong}` makes no sense.")
    config, training = _settings(own, tables, given)
    if training.updates < snapshot.update and "updates" in given:
        raise UsageError(f"`updates` must be at least {snapshot.update}, as many as are done; got {training.updates}.")
    read = _read(folder, sources, text, own["text"] | tables["text"], encoding)
    read = read.respell(snapshot.model.vocabulary)
    if extend_vocabulary and read.vocabulary.is_bytes == snapshot.model.vocabulary.is_bytes:
        snapshot = _extended(snapshot, read.vocabulary, training.seed)
    learned = splits.prepare(read, training, snapshot.model.vocabulary)
    told = text_table(read, learned.vocabulary)
    if read.sha256 == own["text"]["sha256"]:
        told |= own["text"]  # read again, a folder is its files
        best, best_file = found.best, found.best_file
    else:
        snapshot = best = _from_the_beginning(snapshot)
        best_file = None
    path = folder / CHECKPOINTS / START
    start = load(path).extended(learned.vocabulary, seed=training.seed) if path.exists() else None
    kept = truncate_logs(folder, snapshot.update)  # the last step: all that the run goes on with was found good
    return Task(config, training, learned, told, start, ResumePoint(snapshot, best, best_file, *kept))


def _begun_again(
    folder: Path,
    sources: Source | Sequence[Source],
    text: str | Text | None,
    given: Mapping[str, Any],
    encoding: str | None,
    *,
    extend_vocabulary: bool,
) -> Task:
    """Return the training of run.toml from its beginning, with the settings `given` changed, and empty its logs."""
    tables = read_settings(folder)
    config, training = _settings(tables, tables, given)
    read = _read(folder, sources, text, tables["text"], encoding)
    path = folder / CHECKPOINTS / START
    start = load(path) if path.exists() else None
    if start is not None:
        read = read.respell(start.vocabulary)
    if start is not None and extend_vocabulary and start.vocabulary.is_bytes == read.is_bytes:
        start = start.extended(read.vocabulary, seed=training.seed)
    learned = splits.prepare(read, training, None if start is None else start.vocabulary)
    warnings.warn(f"`{folder}` ended before its first checkpoint; training starts again from update 0.", stacklevel=4)
    truncate_logs(folder, -1)
    return Task(config, training, learned, text_table(read, learned.vocabulary), start)


def _settings(
    saved: Mapping[str, Any], told: Mapping[str, Any], given: Mapping[str, Any]
) -> tuple[ModelConfig, TrainingConfig]:
    """Return the settings in the tables `saved`, changed by those of run.toml, `told`, and then by those `given`.

    Updates that are given are done however long they take: no time limit ends them.
    """
    own = ModelConfig.from_table(saved["model"]).to_table() | TrainingConfig.from_table(saved["training"]).to_table()
    config, training = change_settings(own, told["model"] | told["training"] | dict(given))
    return config, dataclasses.replace(training, time_limit=None) if "updates" in given else training


def _read(
    folder: Path,
    sources: Source | Sequence[Source],
    text: str | Text | None,
    told: Mapping[str, Any],
    encoding: str | None,
) -> Text:
    """Return the text that is given, else that of the run in `folder`, whose table `text` is `told`.

    The encoding of the run may be given, but not changed.
    """
    if sources or text is not None:
        return splits.read_text(sources, text, encoding or str(told.get("encoding", splits.ENCODING)))
    saved = told.get("encoding", splits.ENCODING)
    if encoding is not None and check_encoding(encoding) != saved:
        raise UsageError(
            f"`encoding` of the run is {saved!r}, and cannot change when it is resumed; got {encoding!r}.",
            hint="leave it out.",
        )
    return read_again(folder, told)


def _extended(snapshot: Snapshot, vocabulary: Vocabulary, seed: int) -> Snapshot:
    """The snapshot of a network that has the characters of `vocabulary` too, and predicts the old ones as before."""
    model = snapshot.model.extended(vocabulary, seed=seed)
    K = len(model.vocabulary)
    if len(snapshot.model.vocabulary) == K:
        return snapshot
    config, places = model.config, model.vocabulary.encode(snapshot.model.vocabulary.symbols)
    state = snapshot.optimizer_state
    kept = {name: growth.spread(config, name, array, places, K) for name, array in state.items()}
    if (averaged := average_of(state)) is not None:
        sums = growth.grow(config, averaged, places, K, seed=seed)
        kept |= {SUM + name: array * state[WEIGHT] for name, array in sums.items()}
    parameters = growth.grow(config, snapshot.parameters, places, K, seed=seed)
    return dataclasses.replace(snapshot, model=model, parameters=parameters, optimizer_state=kept)


def _from_the_beginning(snapshot: Snapshot) -> Snapshot:
    """The snapshot before another text: its first character comes next, and what is best is to be found."""
    history = snapshot.progress["history"] | {"epoch_sum": 0.0, "epoch_characters": 0}
    anew = {"cursor": [0, 0], "history": history, "best_loss": None, "best_update": None, "worse": 0}
    return dataclasses.replace(snapshot, progress=snapshot.progress | anew)

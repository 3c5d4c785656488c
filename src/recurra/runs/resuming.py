"""Prepare to resume a run: its checkpoint, its settings, and its text or a different one."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
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
    changes: Mapping[str, Any],
    encoding: str | None,
    *,
    extend_vocabulary: bool,
) -> Task:
    """Prepare the training in `folder` from its newest undamaged checkpoint, and cut its logs back to this checkpoint.

    If the run ended before its first checkpoint, it starts again from update 0, with a warning.

    Args:
        folder: the run directory.
        sources, text: a different text; without both, the text of the run is read again.
        changes: settings that change. Other settings come from run.toml, or without it, from the checkpoint.
        encoding: the encoding of a different text; if the text of the run is read, the encoding of the run.
        extend_vocabulary: add the new characters of a different text to the vocabulary of the model.
    Raises: UsageError, TextError, ModelError or CheckpointError, each before any log is changed.
    """
    read_text = functools.partial(_read_text, folder, sources, text, encoding)
    if has_no_checkpoint(folder) and (tables := read_settings(folder))["training"]:
        return _from_update_0(folder, tables, changes, read_text, extend_vocabulary=extend_vocabulary)
    recovered, tables = recover(folder), read_settings(folder)
    metadata, snapshot = recovered.metadata, recovered.snapshot
    if (fault := find_metadata_fault(metadata, SETTINGS)) is not None:
        raise CheckpointError(f"`{recovered.path}` is no checkpoint of a run: its `{fault}` is missing or invalid.")
    config, training = _settings(metadata, tables, changes)
    if training.updates < snapshot.update and "updates" in changes:
        raise UsageError(
            f"`updates` must be at least {snapshot.update}, the number of completed updates; got {training.updates}."
        )
    new_text = read_text(metadata["text"] | tables["text"]).respell(snapshot.model.vocabulary)
    if extend_vocabulary and new_text.vocabulary.is_bytes == snapshot.model.vocabulary.is_bytes:
        snapshot = _extended(snapshot, new_text.vocabulary, training.seed)
    prepared = splits.prepare(new_text, training, snapshot.model.vocabulary)
    table = text_table(new_text, prepared.vocabulary)
    if new_text.sha256 == metadata["text"]["sha256"]:
        table |= metadata["text"]  # a folder is read again as its files, under a different name
        best, best_file = recovered.best, recovered.best_file
    else:
        snapshot = best = _for_new_text(snapshot)
        best_file = None
    path = folder / CHECKPOINTS / START
    start = load(path).extended(prepared.vocabulary, seed=training.seed) if path.exists() else None
    totals = truncate_logs(folder, snapshot.update)  # the last step, after every check
    return Task(config, training, prepared, table, start, ResumePoint(snapshot, best, best_file, *totals))


def _from_update_0(
    folder: Path,
    tables: Mapping[str, Any],
    changes: Mapping[str, Any],
    read_text: Callable[[Mapping[str, Any]], Text],
    *,
    extend_vocabulary: bool,
) -> Task:
    """Prepare a training from update 0, with the settings in the `tables` of run.toml and `changes`; empty its logs."""
    config, training = _settings(tables, tables, changes)
    new_text = read_text(tables["text"])
    path = folder / CHECKPOINTS / START
    start = load(path) if path.exists() else None
    if start is not None:
        new_text = new_text.respell(start.vocabulary)
    if start is not None and extend_vocabulary and start.vocabulary.is_bytes == new_text.is_bytes:
        start = start.extended(new_text.vocabulary, seed=training.seed)
    prepared = splits.prepare(new_text, training, None if start is None else start.vocabulary)
    warnings.warn(f"`{folder}` ended before its first checkpoint; training starts again from update 0.", stacklevel=4)
    truncate_logs(folder, -1)
    return Task(config, training, prepared, text_table(new_text, prepared.vocabulary), start)


def _settings(
    saved: Mapping[str, Any], run_toml: Mapping[str, Any], changes: Mapping[str, Any]
) -> tuple[ModelConfig, TrainingConfig]:
    """Return the settings of the checkpoint, `saved`; the settings in `run_toml` replace them, then the `changes`.

    If `updates` is among the changes, the time limit is removed.
    """
    table = ModelConfig.from_table(saved["model"]).to_table() | TrainingConfig.from_table(saved["training"]).to_table()
    config, training = change_settings(table, run_toml["model"] | run_toml["training"] | dict(changes))
    return config, dataclasses.replace(training, time_limit=None) if "updates" in changes else training


def _read_text(
    folder: Path,
    sources: Source | Sequence[Source],
    text: str | Text | None,
    encoding: str | None,
    table: Mapping[str, Any],
) -> Text:
    """Return the text of `sources` or `text`; without both, read again the text of the run in `folder`.

    `table` is the run's table "text". Raises UsageError if `encoding` differs from the encoding of the run's text.
    """
    if sources or text is not None:
        return splits.read_text(sources, text, encoding or str(table.get("encoding", splits.ENCODING)))
    saved = table.get("encoding", splits.ENCODING)
    if encoding is not None and check_encoding(encoding) != saved:
        raise UsageError(
            f"`encoding` of the run is {saved!r}, and cannot change when it is resumed; got {encoding!r}.",
            hint="leave out `--encoding`.",
        )
    return read_again(folder, table)


def _extended(snapshot: Snapshot, vocabulary: Vocabulary, seed: int) -> Snapshot:
    """Add the new characters of `vocabulary` to the network of a snapshot; it predicts the old ones as before."""
    model = snapshot.model.extended(vocabulary, seed=seed)
    K = len(model.vocabulary)
    if len(snapshot.model.vocabulary) == K:
        return snapshot
    config, old_ids = model.config, model.vocabulary.encode(snapshot.model.vocabulary.symbols)
    state = snapshot.optimizer_state
    new_state = {name: growth.spread(config, name, array, old_ids, K) for name, array in state.items()}
    if (averaged := average_of(state)) is not None:
        sums = growth.grow(config, averaged, old_ids, K, seed=seed)
        new_state |= {SUM + name: array * state[WEIGHT] for name, array in sums.items()}
    parameters = growth.grow(config, snapshot.parameters, old_ids, K, seed=seed)
    return dataclasses.replace(snapshot, model=model, parameters=parameters, optimizer_state=new_state)


def _for_new_text(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with the cursor at the beginning of a new text and without a best loss."""
    history = snapshot.progress["history"] | {"epoch_sum": 0.0, "epoch_characters": 0}
    reset = {"cursor": [0, 0], "history": history, "best_loss": None, "best_update": None, "worse": 0}
    return dataclasses.replace(snapshot, progress=snapshot.progress | reset)

"""`train` and `resume`: connect the text, the trainer, the run directory and the listeners."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

from recurra.config import ModelConfig, TrainingConfig
from recurra.distributed.leader import processes_of
from recurra.distributed.ranks import Ranks
from recurra.errors import Interrupted, ModelError, NumericalError
from recurra.io import atomic_write
from recurra.model import LanguageModel
from recurra.runs.checkpoints import CheckpointFolder
from recurra.runs.layout import CHECKPOINTS, START, SUMMARY, train_command, write_json
from recurra.runs.logs import Logs
from recurra.runs.resuming import prepare_resume
from recurra.runs.run_directory import create_folder, lock_run
from recurra.runs.run_toml import text_table, write_settings
from recurra.runs.summary import findings, summary
from recurra.runs.task import Task
from recurra.system.signals import stop_signals
from recurra.text.reading import Source
from recurra.text.splits import prepare
from recurra.text.text import Text
from recurra.text.vocabulary import Vocabulary
from recurra.training.divergence import rate_to_try
from recurra.training.events import Event, Finishing, Gathering
from recurra.training.snapshot import Snapshot
from recurra.training.time_budget import updates_within
from recurra.training.trainer import Clock, Trainer

LONGEST_FOLDER = 80  # most characters of a path in `repr`
Listener = Callable[[Event], None]
Announce = Callable[[Text, Vocabulary, Trainer, Path], None]


@dataclass(frozen=True, repr=False)
class Run:
    """The result of a training: the best `model`, the run directory `folder`, and `summary`.

    `summary` has the keys of `train --json`. The result to quote is `validation_nats_per_character`, the loss of the
    best model on held-out text (None without a held-out part). `smooth_loss` is an average of training losses.
    """

    model: LanguageModel
    folder: Path
    summary: dict[str, Any]

    def __repr__(self) -> str:
        folder, loss = str(self.folder), self.summary.get("smooth_loss")
        shown = folder if len(folder) <= LONGEST_FOLDER else f"…{folder[-LONGEST_FOLDER:]}"
        figures = f"{self.summary.get('updates', 0):,} updates" + (f", smooth_loss {loss:.4f}" if loss else "")
        return f"<Run: folder {shown!r}, {figures}, model {self.model!r}>"


class TrainingHooks(TypedDict, total=False):
    """The options of every training.

    announce    the function to call before the first event, with text, vocabulary, trainer and run directory;
    listeners   the functions to call with every event of the trainer;
    with_proof  check the gradients at the end, with the initial and the trained parameters [default: True];
    ranks       the processes of a distributed training, in the leader; the workers call `run_worker`;
    clock       the clock of the time limit, in seconds.
    """

    announce: Announce | None
    listeners: Sequence[Listener]
    with_proof: bool
    ranks: Ranks | None
    clock: Clock


def train(
    text: Text,
    *,
    start: LanguageModel | None = None,
    run: str | Path | None = None,
    force: bool = False,
    model: ModelConfig | None = None,
    training: TrainingConfig | None = None,
    **hooks: Unpack[TrainingHooks],
) -> Run:
    """Train on `text` in the run directory `run`, or else in runs/NAME, where NAME is the name of the text.

    In the main thread, SIGINT, SIGTERM and SIGHUP end the training after a checkpoint and raise `Interrupted`.

    Args:
        text: the text, with its vocabulary.
        start: a trained model; the training starts from its vocabulary and its parameters.
        run: the run directory.
        force: replace a run in this directory.
        model: the network; with `start`, it must be the network of that model.
        training: the settings. With a time limit, the speed is measured first; run.toml has the number of updates.
        **hooks: see `TrainingHooks`.
    """
    config, training = model or ModelConfig(), training or TrainingConfig()
    prepared = prepare(text, training, None if start is None else start.vocabulary)
    if training.time_limit is not None:
        processes = processes_of(hooks.get("ranks"), prepared)
        stream = processes.stream(training, prepared.parts[0], prepared.newline)
        data = prepared.vocabulary, stream, prepared.parts[1]
        notify = _caller_of(hooks.get("listeners", ()))
        updates = updates_within(training.time_limit, config, training, *data, processes, notify)
        training = dataclasses.replace(training, updates=updates)
    task = Task(config, training, prepared, text_table(prepared.text, prepared.vocabulary), start)
    # `_run` creates the directory only after the trainer has accepted all settings.
    return _run(task, create_folder(run, prepared.text.name, force=force), **hooks)


def resume(
    run: str | Path,
    sources: Source | Sequence[Source] = (),
    *,
    text: str | Text | None = None,
    settings: Mapping[str, Any] | None = None,
    extend_vocabulary: bool = False,
    encoding: str | None = None,
    **hooks: Unpack[TrainingHooks],
) -> Run:
    """Resume the training in the run directory `run` from its newest undamaged checkpoint.

    The updates after this checkpoint are trained again. Without changes, the run ends with the same bytes as an
    uninterrupted one.

    Args:
        run: the run directory.
        sources, text: a different text, of characters in the model's vocabulary. Without both, the text of the run is
            read again.
        settings: settings that change; the settings in `run_toml.FIXED` cannot change.
        extend_vocabulary: add new characters of a different text to the vocabulary.
        encoding: the encoding of a different text.
        **hooks: see `TrainingHooks`.
    """
    folder, exists = Path(run), False
    with contextlib.suppress(OSError):  # a name that is too long
        exists = folder.is_dir()
    if not exists:
        raise ModelError(
            f"there is no run `{folder}`.",
            hint="give a run directory, such as runs/kjv, or leave out `--resume` to start a new run.",
        )
    with lock_run(folder):
        task = prepare_resume(folder, sources, text, settings or {}, encoding, extend_vocabulary=extend_vocabulary)
        return _run(task, contextlib.nullcontext(folder), **hooks)


def _run(
    task: Task,
    place: AbstractContextManager[Path],
    *,
    announce: Announce | None = None,
    listeners: Sequence[Listener] = (),
    with_proof: bool = True,
    ranks: Ranks | None = None,
    clock: Clock = time.perf_counter,
) -> Run:
    records = _Records(task)
    train_ids, validation_ids, _ = task.prepared_text.parts
    with contextlib.ExitStack() as held:
        with stop_signals() as stop:
            trainer = Trainer(
                task.config,
                task.training,
                task.prepared_text.vocabulary,
                train_ids,
                validation_ids,
                start=None if task.start is None else task.start.parameters,
                resumed=task.resumed,
                commit=records.commit,
                should_stop=lambda: bool(stop),
                processes=processes_of(ranks, task.prepared_text),
                clock=clock,
            )
            folder = held.enter_context(place)
            records.open(folder, trainer)
            _begin(task, trainer, folder)
            if announce is not None:
                announce(task.prepared_text.text, task.prepared_text.vocabulary, trainer, folder)
            _train(trainer, folder, [records.logs, *listeners])
            if trainer.out_of_time:
                write_settings(folder, trainer, task.text, task.prepared_text.text.source)  # with the completed updates
            table = summary(folder, trainer)
            write_json(folder / SUMMARY, table)  # an interruption of the findings does not lose the summary
            if trainer.stopped:
                raise _interrupted(stop[0], trainer, folder)
        assert trainer.best is not None  # noqa: S101 - a checkpoint was made
        notify = _caller_of(listeners)
        notify(Finishing(trainer.update))

        def progress(done: int, total: int) -> None:
            notify(Gathering("gradients", done, total))

        try:
            table |= findings(folder, trainer, task.prepared_text, with_proof=with_proof, progress=progress)
        except KeyboardInterrupt:
            raise _interrupted_findings(folder) from None
        write_json(folder / SUMMARY, table)
        return Run(trainer.best.model, folder, table)


class _Records:
    """The logs and the checkpoints of a run.

    The trainer is created before the directory, so that invalid settings leave no directory. Call `open` when both
    exist; the trainer calls `commit` only after that.
    """

    logs: Logs

    def __init__(self, task: Task) -> None:
        self._task = task

    def open(self, folder: Path, trainer: Trainer) -> None:
        """Open the files in `folder` for the training of `trainer`."""
        task = self._task
        best_file = None if task.resumed is None else task.resumed.best_file
        self._checkpoints = CheckpointFolder(folder, task.training.keep, best_file)
        self.logs, self._trainer = Logs(folder), trainer

    def commit(self, snapshot: Snapshot, best: Snapshot | None) -> Path:
        """Write a checkpoint, and the `best` model if it is new; return the path of the checkpoint."""
        self.logs.sync()  # no checkpoint is newer than its logs
        settings = {"training": self._trainer.training.to_table(), "text": self._task.text}
        return self._checkpoints.commit(snapshot, settings, best)


def _begin(task: Task, trainer: Trainer, folder: Path) -> None:
    """Write run.toml and the model that the training starts from; remove the outdated summary of a resumed run."""
    if task.start is not None and task.resumed is None:
        task.start.save(folder / CHECKPOINTS / START)
    write_settings(folder, trainer, task.text, task.prepared_text.text.source)
    with atomic_write.storage_errors(folder / SUMMARY):
        (folder / SUMMARY).unlink(missing_ok=True)


def _caller_of(listeners: Sequence[Listener]) -> Listener:
    """Return a function that passes an event to every listener."""

    def notify(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return notify


def _train(trainer: Trainer, folder: Path, listeners: Sequence[Listener]) -> None:
    """Train, and call the listeners. The hint of a NumericalError is the command to resume at a lower rate."""
    notify = _caller_of(listeners)
    try:
        with contextlib.closing(trainer.events()) as training:
            for event in training:
                notify(event)
    except NumericalError as error:
        rate = f"--learning-rate {rate_to_try(trainer.training):g}"
        error.hint = f"resume from the last checkpoint at a lower rate: {train_command('--resume', folder)} {rate}"
        raise


def _interrupted(number: int, trainer: Trainer, folder: Path) -> Interrupted:
    return Interrupted(
        f"stopped by {signal.Signals(number).name} at update {trainer.update:,}; the checkpoint is saved in "
        f"`{folder}`. To resume: {train_command('--resume', folder)}",
        signal=number,
    )


def _interrupted_findings(folder: Path) -> Interrupted:
    return Interrupted(
        f"stopped by SIGINT after the last update; the model is saved in `{folder}`, but no data for the report. "
        f"To compute it: {train_command('--resume', folder)}",
        signal=signal.SIGINT,
    )

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
from recurra.runs.layout import CHECKPOINTS, START, SUMMARY, write_json
from recurra.runs.logs import Logs
from recurra.runs.resuming import prepare_resume
from recurra.runs.run_directory import create_folder, lock_run
from recurra.runs.run_toml import text_table, write_settings
from recurra.runs.summary import findings, summary
from recurra.runs.task import Task
from recurra.system.executable import program
from recurra.system.shell import path_argument
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

LONGEST_FOLDER = 80  # characters of a folder's path in `repr`
Listener = Callable[[Event], None]
Announce = Callable[[Text, Vocabulary, Trainer, Path], None]


@dataclass(frozen=True, repr=False)
class Run:
    """What `train` gives back: the best `model`, the run's `folder`, and `summary`, the keys of `train --json`."""

    model: LanguageModel
    folder: Path
    summary: dict[str, Any]

    def __repr__(self) -> str:
        folder, loss = str(self.folder), self.summary.get("smooth_loss")
        shown = folder if len(folder) <= LONGEST_FOLDER else f"…{folder[-LONGEST_FOLDER:]}"
        figures = f"{self.summary.get('updates', 0):,} updates" + (f", smooth_loss {loss:.4f}" if loss else "")
        return f"<Run: folder {shown!r}, {figures}, model {self.model!r}>"


class TrainingHooks(TypedDict, total=False):
    """What may be given to any training.

    announce    is told of text, vocabulary, trainer and folder before the first event
    listeners   are told of every event of the trainer, as the files of the run folder are
    with_proof  unless it is false, the gradients are checked at the end, at the initial and the trained weights
    ranks       of several processes, this being the first: the others `help_out`
    clock       the seconds since some moment, by which a time limit is kept
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
    """Train on `text` in the folder `run`, or else in runs/ under the text's name.

    A model to `start` from gives its characters and parameters; `model` must be its network. With a time limit the
    updates that fit in it are measured, and stand in run.toml.
    In the main thread, SIGINT, SIGTERM and SIGHUP end training after a checkpoint with `Interrupted`.
    """
    config, training = model or ModelConfig(), training or TrainingConfig()
    learned = prepare(text, training, None if start is None else start.vocabulary)
    if training.time_limit is not None:
        processes = processes_of(hooks.get("ranks"), learned)
        stream = processes.stream(training, learned.parts[0], learned.newline)
        read = learned.vocabulary, stream, learned.parts[1]
        notify = _caller_of(hooks.get("listeners", ()))
        fitting = updates_within(training.time_limit, config, training, *read, processes, notify)
        training = dataclasses.replace(training, updates=fitting)
    told = text_table(learned.text, learned.vocabulary)
    task = Task(config, training, learned, told, start)
    # The folder is made when all settings have proved good.
    place = create_folder(run, learned.text.name, force=force)
    return _run(task, place, **hooks)


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
    """Go on with the training in the folder `run` from its newest whole checkpoint, as if it had never stopped.

    Its text is read again; another one may be given, of characters that the model knows or, with `extend_vocabulary`,
    learns. `settings` change those of the run, where they may (`run_toml.FIXED`). All else is as with `train`.
    """
    folder, there = Path(run), False
    with contextlib.suppress(OSError):  # a name that is too long
        there = folder.is_dir()
    if not there:
        raise ModelError(f"there is no run `{folder}`.", hint="give the folder of one, or leave out `--resume`.")
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
            _follow(trainer, folder, [records.logs, *listeners])
            if trainer.out_of_time:
                write_settings(folder, trainer, task.text, task.prepared_text.text.source)  # the updates that were done
            found = summary(folder, trainer)
            write_json(folder / SUMMARY, found)  # the training is done, even if what follows is interrupted
            if trainer.stopped:
                raise _interrupted(stop[0], trainer, folder)
        assert trainer.best is not None  # noqa: S101 - a checkpoint was made
        called = _caller_of(listeners)
        called(Finishing(trainer.update))

        def gathering(done: int, total: int) -> None:
            called(Gathering("gradients", done, total))

        try:
            found |= findings(folder, trainer, task.prepared_text, proof_wanted=with_proof, progress=gathering)
        except KeyboardInterrupt:
            raise _ended_early(folder) from None
        write_json(folder / SUMMARY, found)
        return Run(trainer.best.model, folder, found)


class _Records:
    """The logs and the checkpoints of a run.

    The trainer is made before the directory, so that bad settings leave none behind: `open` follows when both are
    there, and `commit` is called only while the trainer trains.
    """

    logs: Logs

    def __init__(self, task: Task) -> None:
        self._task = task

    def open(self, folder: Path, trainer: Trainer) -> None:
        """Open the files in `folder`, for the training of `trainer`."""
        task = self._task
        best_file = None if task.resumed is None else task.resumed.best_file
        self._checkpoints = CheckpointFolder(folder, task.training.keep, best_file)
        self.logs, self._trainer = Logs(folder), trainer

    def commit(self, snapshot: Snapshot, best: Snapshot | None) -> Path:
        """Write a checkpoint, and the `best` model if it is new; return the path of the checkpoint."""
        self.logs.sync()  # the checkpoint counts on the lines that were written
        settings = {"training": self._trainer.training.to_table(), "text": self._task.text}
        return self._checkpoints.commit(snapshot, settings, best)


def _begin(task: Task, trainer: Trainer, folder: Path) -> None:
    """Write down what is to be done; the summary of what was done before no longer holds."""
    if task.start is not None and task.resumed is None:
        task.start.save(folder / CHECKPOINTS / START)
    write_settings(folder, trainer, task.text, task.prepared_text.text.source)
    with atomic_write.storage_errors(folder / SUMMARY):
        (folder / SUMMARY).unlink(missing_ok=True)


def _caller_of(listeners: Sequence[Listener]) -> Listener:
    """Return a function that calls every listener with an event."""

    def notify(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return notify


def _follow(trainer: Trainer, folder: Path, listeners: Sequence[Listener]) -> None:
    """Train, and call the listeners; a NumericalError gets as its hint the command that resumes at a lower rate."""
    notify = _caller_of(listeners)
    try:
        with contextlib.closing(trainer.events()) as training:
            for event in training:
                notify(event)
    except NumericalError as error:
        slower = f"--learning-rate {rate_to_try(trainer.training):g}"
        error.hint = f"go on from the last checkpoint at a lower rate: {_resume_command(folder)} {slower}"
        raise


def _interrupted(number: int, trainer: Trainer, folder: Path) -> Interrupted:
    return Interrupted(
        f"stopped by {signal.Signals(number).name} at update {trainer.update:,}; the checkpoint is saved in "
        f"`{folder}`. To go on: {_resume_command(folder)}",
        signal=number,
    )


def _ended_early(folder: Path) -> Interrupted:
    return Interrupted(
        f"stopped by SIGINT after the last update; the model is saved in `{folder}`, the report is not yet gathered. "
        f"To gather it: {_resume_command(folder)}",
        signal=signal.SIGINT,
    )


def _resume_command(folder: Path) -> str:
    return f"{program()} train --resume --run {path_argument(folder)}"

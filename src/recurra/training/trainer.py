"""The training loop: a generator of events that prints nothing and writes only through `commit`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.config import ModelConfig, TrainingConfig
from recurra.distributed.leader import SINGLE_PROCESS, SingleProcess
from recurra.engines.engine import Start, TrainResult
from recurra.errors import NumericalError
from recurra.inference.sampling import SamplingConfig
from recurra.model import LanguageModel
from recurra.network.optimizers import average_of, magnitude, not_finite, schedule_of
from recurra.network.parameters import initialize
from recurra.text.id_file import Ids
from recurra.text.splits import newline_id
from recurra.text.vocabulary import Vocabulary
from recurra.training.events import (
    Checkpointed,
    EpochEnded,
    Evaluated,
    Event,
    Progress,
    Record,
    Sampled,
    Saving,
)
from recurra.training.loss_history import LARGEST_NUMBER, History
from recurra.training.selection import Selection
from recurra.training.snapshot import LowestLoss, ResumePoint, Snapshot
from recurra.training.time_budget import seconds_of_evaluation

Arrays = dict[str, NDArray[Any]]
Commit = Callable[[Snapshot, "Snapshot | None"], Path]
Clock = Callable[[], float]
SAMPLE_TEMPERATURE = 1.0
LONGEST_SAMPLE = 1 << 19  # characters; escaped, their line in samples.jsonl is shorter than `log_tail.READ_BYTES`
PLATEAU_FACTOR = 0.5
BLOCK_SHARE = 0.02  # largest share of a time limit between two readings of the clock
FLOAT32_MAX = float(np.finfo(np.float32).max)
EXPECTED_NUMBER = f"a number of at most {LARGEST_NUMBER:g}"


class Trainer:
    """The training of a model on `train_ids`, with evaluations on `validation_ids` if there are any.

    Training resumes from `resumed`, else starts from the parameters `start`, else from new parameters.
    `commit(snapshot, best)` makes a checkpoint durable and returns its path; a second thread calls it while training
    continues. The trainer calls `should_stop()` between blocks of updates. `processes` creates the stream and the
    engine. After the last of the `events()`, read the results from `history`, `best`, `snapshot()` and `seconds`;
    `stopped` is True if `should_stop()` ended the training.

    When the `clock` reaches the time limit, training ends before the last planned update and `out_of_time` is True.
    `training` then has the completed updates as `updates` and the planned ones as `schedule_updates`. A training with
    these two settings and without a time limit gives the same bits.
    """

    def __init__(
        self,
        config: ModelConfig,
        training: TrainingConfig,
        vocabulary: Vocabulary,
        train_ids: Ids,
        validation_ids: Ids,
        *,
        commit: Commit,
        start: Mapping[str, NDArray[Any]] | None = None,
        resumed: ResumePoint | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        processes: SingleProcess = SINGLE_PROCESS,
        clock: Clock = time.perf_counter,
    ) -> None:
        self.processes = processes
        self.config, self.training, self.vocabulary = config, training, vocabulary
        with np.errstate(over="ignore"):  # `_require_finite` reports infinity
            new = initialize(config, len(vocabulary), seed=training.seed, scale=training.initial_scale)
            self._schedule = schedule_of(training)
        self.is_new = start is None
        self.is_resumed = resumed is not None
        self.initial = new if start is None else dict(start)
        _require_finite(self.initial, 0)
        newline = newline_id(training, vocabulary)
        self.stream = processes.stream(training, train_ids, newline)
        self.history = History(per_character=training.preset != "classic" or training.documents is not None)
        self.update = 0
        self.validation: float | None = None
        self.selection = Selection(training, resumed)
        self.seconds = 0.0
        self.stopped = self.out_of_time = False
        self.planned = training.updates
        self._clock = clock
        self._evaluation_seconds = 0.0  # duration of the last evaluation, or an estimate before the first
        self._largest_block = math.inf if training.time_limit is None else 1.0  # updates between clock readings
        self._train_ids, self._validation_ids = train_ids, validation_ids
        self._commit, self._should_stop = commit, should_stop
        self.lowest = None if resumed is None else resumed.lowest  # lowest smooth loss of all records
        self.recent_loss: float | None = None  # mean of the last record, in nats per character
        self._norm_sum = 0.0  # sum of the gradient norms since the last record
        self._last_rate = 0.0
        self._saved: int | None = None  # the update of the last checkpoint
        self._writing: Future[Path] | None = None
        if resumed is None:
            self.engine = processes.engine(config, training, Start(self.initial))
        else:
            self._restore(resumed)

    def _restore(self, resumed: ResumePoint) -> None:
        """Restore the engine, the stream and the counters from the snapshot of `resumed`."""
        snapshot, progress = resumed.snapshot, resumed.snapshot.progress
        start = Start(snapshot.parameters, snapshot.optimizer_state, snapshot.state, snapshot.update)
        self.engine = self.processes.engine(self.config, self.training, start)
        self.update = self._saved = snapshot.update
        self.stream.cursor = progress["cursor"]
        self.history = History(**progress["history"])
        self.validation = progress["validation"]
        recent = progress.get("recent_loss")  # absent in older checkpoints
        self.recent_loss = recent if isinstance(recent, float) else None
        self.seconds, self._norm_sum = resumed.seconds, progress["gradient_norm_sum"]

    @property
    def characters_per_update(self) -> int:
        """Return the number of characters of an update: T · B, or for documents the rounded mean."""
        return self.stream.characters_per_update

    @property
    def loss_span(self) -> int:
        """Return the number of characters whose losses are summed in `history`; 1 for a mean per character."""
        return 1 if self.history.per_character else self.characters_per_update

    @property
    def has_validation(self) -> bool:
        """Return True if a part of the text is held out; the held-out loss then selects the best model."""
        return len(self._validation_ids) > 1

    @property
    def best(self) -> Snapshot | None:
        """Return the model with the lowest held-out loss so far; without held-out text, with the lowest smooth loss."""
        return self.selection.best

    @property
    def out_of_patience(self) -> bool:
        """Return True if the last `patience` evaluations had no lower held-out loss."""
        return self.selection.out_of_patience

    @property
    def has_updates_left(self) -> bool:
        """Return True if updates remain, and neither a stop nor patience ended the training."""
        return self.update < self.training.updates and not self.stopped and not self.out_of_patience

    @property
    def validation_loss(self) -> float | None:
        """Return the lowest held-out loss so far, in nats per character, estimated with `LanguageModel.estimate`."""
        return self.selection.loss if self.has_validation and self.selection.is_compared else None

    def final_validation_loss(self) -> float | None:
        """Return the exact held-out loss of `best`, in nats per character; None without a held-out part.

        The model reads the whole part in order. Quote this loss as the result of a training.
        """
        if self.best is None or self.validation_loss is None:
            return None
        return self.final_loss(self._validation_ids)

    def final_loss(self, ids: Ids) -> float:
        """Return the loss of `best` on the held-out `ids`, read in order, in nats per character."""
        assert self.best is not None  # noqa: S101 - a checkpoint was made
        return self._held_out_loss(self.best.model, ids, LanguageModel.evaluate)

    def model(self) -> LanguageModel:
        """Return the model of the last update: the average of the parameters if `ema` is set, else the parameters."""
        return self._model_of(self.engine.parameters(), self.engine.optimizer_state() if self.training.ema else {})

    def _model_of(self, parameters: Arrays, optimizer_state: Arrays) -> LanguageModel:
        averaged = average_of(optimizer_state)
        return LanguageModel(self.config, self.vocabulary, averaged or parameters, self.training.documents)

    def _rate(self, update: int) -> float:
        """Return the learning rate of an update: the schedule's rate, halved for each plateau, exact in float32."""
        return self._schedule(update) * PLATEAU_FACTOR**self.selection.drops

    def snapshot(self) -> Snapshot:
        """Return a copy of the whole state of the training."""
        progress = {
            "update": self.update,
            "cursor": list(self.stream.cursor),
            "history": self.history.to_table(),
            "gradient_norm_sum": self._norm_sum,
            "validation": self.validation,
            "recent_loss": self.recent_loss,
            **self.selection.to_table(),
        }
        parameters, optimizer_state = self.engine.parameters(), self.engine.optimizer_state()
        _require_finite(optimizer_state, self.update)
        model = self._model_of(parameters, optimizer_state)
        return Snapshot(model, parameters, optimizer_state, self.engine.state(), progress)

    def events(self) -> Generator[Event]:
        """Train and yield the events until the last update, a stop or the time limit; then save a checkpoint."""
        self.engine.warm_up()
        self._warm_up_reading()
        if self.training.sample_every and self.update == 0 and self._saved is None:
            yield self._sample()
        started = self._clock() - self.seconds
        with ThreadPoolExecutor(1, "checkpoint") as writer:
            if self._saved is None:
                yield from self._checkpoint(writer)  # so that a run can be resumed from the beginning
            due = self._clock() + self.training.checkpoint_every
            while self.has_updates_left:
                self._train_block()
                self.seconds = self._clock() - started
                self._apply_time_limit()
                yield from self._due_events()
                assert self.history.smooth is not None  # noqa: S101 - a block was trained
                yield Progress(self.update, self.training.updates, self.history.smooth, self.seconds)
                self.seconds = self._clock() - started
                self.stopped = self._should_stop()
                if self._writing is not None and self._writing.done():
                    yield from self._written()
                if self.has_updates_left and self._clock() > due:
                    yield from self._checkpoint(writer)
                    due = self._clock() + self.training.checkpoint_every
            if self._saved != self.update:
                yield from self._checkpoint(writer)
            yield from self._written()

    def _apply_time_limit(self) -> None:
        """End the training at this update if the remaining time is just enough for the last evaluation."""
        limit = self.training.time_limit
        if limit is None or self.update >= self.training.updates:
            return
        evaluations = 2 if self._evaluation_is_due else 1  # at this update and at the end
        if self.seconds + evaluations * self._evaluation_seconds >= limit:
            planned = self.training.schedule_updates or self.training.updates
            self.training = replace(self.training, updates=self.update, schedule_updates=planned)
            self.out_of_time = True

    def _warm_up_reading(self) -> None:
        """Compile the kernels that sample and evaluate before the clock starts."""
        if self.training.sample_every or self.has_validation:
            self.model().warm_up()
        if self.training.time_limit is not None and self.has_validation:
            model = self.model()
            model.warm_up()
            self._evaluation_seconds = seconds_of_evaluation(model, self._validation_ids)
        if self.training.sample_every:
            self.model().sample(max_new_tokens=1)

    def _train_block(self) -> None:
        if self.stream.at_epoch_start:
            self.engine.zero_state()
        started = self._clock()
        chunk = self.stream.take(self._updates_to_next_event())
        count = len(chunk.inputs)
        rates = np.array([self._rate(self.update + i) for i in range(count)], np.float32)
        result = self.engine.train(chunk.inputs, chunk.targets, rates, carry=self.stream.carries)
        _require_recordable(result, self.update)
        self._last_rate = float(rates[-1])
        self.update += count
        _require_at_most(LARGEST_NUMBER, self.engine.magnitudes(), self.update)
        self.history.extend(result.losses.tolist(), self.stream.characters.tolist())
        for norm in result.gradient_norms.tolist():
            self._norm_sum += norm
        if self.training.time_limit is not None:
            seconds = self._clock() - started
            largest = BLOCK_SHARE * self.training.time_limit * count / seconds if seconds else math.inf
            self._largest_block = max(1, largest)

    def _updates_to_next_event(self) -> int:
        periods = (self.training.log_every, self.training.sample_every, self._evaluate_every)
        nearest = min(period - self.update % period for period in periods if period)
        return int(min(nearest, self.engine.block, self._largest_block, self.training.updates - self.update))

    @property
    def _evaluate_every(self) -> int:
        if not self.has_validation:
            return 0
        return self.training.evaluate_every or self.stream.updates_per_epoch

    @property
    def _evaluation_is_due(self) -> bool:
        """Return True if the held-out text is evaluated at this update."""
        return self.has_validation and self.update % self._evaluate_every == 0

    def _due_events(self) -> Iterator[Event]:
        """Yield the events that are due at this update: the end of an epoch, an evaluation, a record, a sample."""
        last = self.update == self.training.updates
        if self.stream.at_epoch_start:
            mean = self.history.end_epoch()
            yield EpochEnded(self.history.epochs, self.update, mean)
        evaluated = None
        if self._evaluation_is_due or (last and self.has_validation):
            evaluated = self._evaluate()
            yield evaluated
        if last or evaluated or self.update % self.training.log_every == 0:
            yield self._record(evaluated)
        if self.training.sample_every and self.update % self.training.sample_every == 0:
            yield self._sample()

    def _evaluate(self) -> Evaluated:
        started = self._clock()
        self.validation = self._held_out_loss(self.model(), self._validation_ids, LanguageModel.estimate)
        self._evaluation_seconds = self._clock() - started
        best = self.selection.is_lowest(self.validation)
        if best:
            self.selection.keep(self.update, self.validation, self.snapshot)
        return Evaluated(self.update, self.validation, best)

    def _held_out_loss(self, model: LanguageModel, ids: Ids, measure: Callable[[LanguageModel, Ids], float]) -> float:
        """Return the loss of `model` on `ids` by `measure`. Raises NumericalError if the loss is too large."""
        loss = measure(model, ids)
        if not loss <= LARGEST_NUMBER:
            raise not_finite("loss", f"{loss:g} on the held-out text", self.update, EXPECTED_NUMBER)
        return loss

    def _record(self, evaluated: Evaluated | None) -> Record:
        smooth = self.history.smooth
        assert smooth is not None  # noqa: S101 - a block was trained
        norm = self._norm_sum / self.history.window_updates
        loss = self.history.close_window()
        self._norm_sum = 0.0
        self.recent_loss = loss["mean"] / self.loss_span
        if self.lowest is None or smooth < self.lowest.loss:
            self.lowest = LowestLoss(self.update, smooth)
        if not self.has_validation and smooth < self.selection.loss:
            self.selection.keep(self.update, smooth, self.snapshot)
        return Record(
            update=self.update,
            epoch=self.update / self.stream.updates_per_epoch,
            loss=loss,
            smooth_loss=smooth,
            validation=evaluated.validation if evaluated else None,
            rate=self._last_rate,
            gradient_norm=norm,
        )

    @property
    def sample_seed(self) -> int:
        """Return the seed of a sample at this update: (seed of the run + update) mod 2^63."""
        return (self.training.seed + self.update) % 2**63

    def _sample(self) -> Sampled:
        seed = self.sample_seed
        length = min(self.training.sample_length, LONGEST_SAMPLE)
        config = SamplingConfig(max_new_tokens=length, temperature=SAMPLE_TEMPERATURE, seed=seed)
        model = self.model()
        prompt = self.training.sample_prompt
        text = prompt + model.vocabulary.unspell("".join(model.stream(prompt, config)))
        return Sampled(self.update, SAMPLE_TEMPERATURE, seed, text)

    def _checkpoint(self, writer: ThreadPoolExecutor) -> Iterator[Event]:
        """Wait until the previous checkpoint is durable, take a snapshot, and write it in the thread of `writer`."""
        yield from self._written()
        snapshot = self.snapshot()
        best = self.selection.for_checkpoint(snapshot)
        yield Saving(self.update, self.seconds)
        self._writing = writer.submit(self._commit, snapshot, best)
        self._saved = self.update

    def _written(self) -> Iterator[Checkpointed]:
        """Wait for the checkpoint that the writer thread is writing, if any. Raises the error of a failed write."""
        if self._writing is None:
            return
        path, self._writing = self._writing.result(), None
        assert self._saved is not None  # noqa: S101 - `_checkpoint` has set it
        yield Checkpointed(self._saved, path)


def _require_recordable(result: TrainResult, done: int) -> None:
    """Raise NumericalError if a loss or a norm is too large for a record; `result` begins after `done` updates."""
    losses, norms = result
    valid = (np.abs(losses) <= LARGEST_NUMBER) & np.isfinite(norms)
    if not valid.all():
        i = int(np.argmin(valid))
        if np.isfinite(norms[i]):
            raise not_finite("loss", f"{losses[i]:g}", done + i + 1, EXPECTED_NUMBER)
        raise not_finite("gradients", f"{norms[i]:g}", done + i + 1)


def _require_finite(arrays: Mapping[str, NDArray[Any]], update: int) -> None:
    """Raise NumericalError if an array has a NaN or a number beyond float32."""
    _require_at_most(FLOAT32_MAX, {name: magnitude(array) for name, array in arrays.items()}, update)


def _require_at_most(limit: float, magnitudes: Mapping[str, float], update: int) -> None:
    """Raise NumericalError if one of the `magnitudes` is NaN or exceeds `limit`.

    Without this check, only the loss of the next update would show the error.
    """
    expected = "a finite float32 number" if limit == FLOAT32_MAX else f"at most {limit:g}"
    for name, largest in magnitudes.items():
        if not largest <= limit:
            raise NumericalError(
                f"`{name}` became {largest:g} at update {update}; it must be {expected}.",
                update=update,
                tensor=name,
                hint=f"train again with a lower `{'--learning-rate' if update else '--initial-scale'}`.",
            )

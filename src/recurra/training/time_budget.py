"""Measure the speed of the training, and compute the number of updates that fit in a time limit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from recurra.config import ModelConfig, TrainingConfig
from recurra.distributed.leader import SINGLE_PROCESS, SingleProcess
from recurra.engines.engine import Engine, Start
from recurra.inference.sampling import SamplingConfig
from recurra.model import LanguageModel
from recurra.network.parameters import initialize
from recurra.text.id_file import Ids
from recurra.text.streams import TextStream
from recurra.text.vocabulary import Vocabulary
from recurra.training.events import Calibrating, Event

MEASURED_SHARE = 0.01  # share of the time limit for the measurement
MIN_MEASURED_SECONDS, MAX_MEASURED_SECONDS = 0.3, 3.0
PLANNED_SHARE = 0.98  # share of the time limit for updates, evaluations and samples; records and checkpoints need time
TIMED_CHARACTERS = 16384  # most characters of the evaluation that is timed
TIMED_SAMPLE_CHARACTERS = 20


def updates_within(
    seconds: float,
    config: ModelConfig,
    training: TrainingConfig,
    vocabulary: Vocabulary,
    stream: TextStream,
    validation_ids: Ids,
    processes: SingleProcess = SINGLE_PROCESS,
    notify: Callable[[Event], None] = lambda _event: None,
) -> int:
    """Return the number of updates on `stream`, at least 1, that fit in `seconds` with evaluations and samples.

    If `max_epochs` is set, the result is at most this number of epochs. `notify` receives a `Calibrating` event.
    """
    measured_seconds = min(max(MEASURED_SHARE * seconds, MIN_MEASURED_SECONDS), MAX_MEASURED_SECONDS)
    notify(Calibrating(seconds, measured_seconds))
    initial = initialize(config, len(vocabulary), seed=training.seed, scale=training.initial_scale)
    engine = processes.engine(config, training, Start(initial))
    update = _seconds_of_update(engine, stream, measured_seconds)
    model = LanguageModel(config, vocabulary, initial, training.documents)
    once, each = _seconds_of_events(model, training, stream, validation_ids)
    fitting = (PLANNED_SHARE * seconds - once) / (update + each)
    most = training.max_epochs * stream.updates_per_epoch or math.inf
    return max(1, int(min(fitting, most)))


def _seconds_of_update(engine: Engine, stream: TextStream, measured_seconds: float) -> float:
    engine.warm_up()

    def train_block() -> int:
        chunk = stream.take(engine.block)
        engine.train(chunk.inputs, chunk.targets, np.full(len(chunk.inputs), 1e-6, np.float32), carry=stream.carries)
        return len(chunk.inputs)

    train_block()  # fills the caches and touches the memory
    started = time.perf_counter()
    done = 0
    while time.perf_counter() - started < measured_seconds:
        done += train_block()
    return (time.perf_counter() - started) / done


def _seconds_of_events(
    model: LanguageModel, training: TrainingConfig, stream: TextStream, validation_ids: Ids
) -> tuple[float, float]:
    """Return the seconds of one evaluation, and the mean seconds that evaluations and samples add to each update."""
    model.warm_up()
    each = 0.0
    if training.sample_every:
        model.sample(max_new_tokens=1)  # compiles the sampling kernels
        sampling = SamplingConfig(max_new_tokens=TIMED_SAMPLE_CHARACTERS)
        sample = _seconds(lambda: list(model.stream("", sampling)))
        each += sample / TIMED_SAMPLE_CHARACTERS * training.sample_length / training.sample_every
    if len(validation_ids) < 2:
        return 0.0, each
    evaluation = seconds_of_evaluation(model, validation_ids)
    return evaluation, each + evaluation / (training.evaluate_every or stream.updates_per_epoch)


def seconds_of_evaluation(model: LanguageModel, validation_ids: Ids) -> float:
    """Return the seconds of one evaluation, estimated from the beginning of the held-out text."""
    piece = validation_ids[:TIMED_CHARACTERS]
    if model.document_end is not None and np.all(piece == model.document_end):
        piece = validation_ids[:]  # at least one line has a character: the trainer refuses other texts
    return _seconds(lambda: model.estimate(piece)) * len(validation_ids) / len(piece)


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started

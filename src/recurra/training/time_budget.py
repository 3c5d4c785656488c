"""Plan the number of updates that fit in a time limit, from a measurement on the text itself."""

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

MEASURED = 0.01  # of the time limit is spent on measuring, and
MIN_MEASURED_SECONDS, MAX_MEASURED_SECONDS = 0.3, 3.0  # seconds, at least and at most
MARGIN = 0.98  # of the time is planned: records and checkpoints take some, and clocks vary
TIMED_CHARACTERS = 16384  # characters, at most, whose evaluation is timed
LETTERS = 20  # of the sample that is timed


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
    """Return how many updates on `stream`, at least one, fit in `seconds` with their evaluations and samples.

    There are no more than `max_epochs` of them, if that is limited. `notify` is called before each part of the work.
    """
    patience = min(max(MEASURED * seconds, MIN_MEASURED_SECONDS), MAX_MEASURED_SECONDS)
    notify(Calibrating(seconds, patience))
    initial = initialize(config, len(vocabulary), seed=training.seed, scale=training.initial_scale)
    engine = processes.engine(config, training, Start(initial))
    update = _seconds_of_update(engine, stream, patience)
    model = LanguageModel(config, vocabulary, initial, training.documents)
    once, each = _seconds_of_events(model, training, stream, validation_ids)
    fitting = (MARGIN * seconds - once) / (update + each)
    most = training.max_epochs * stream.updates_per_epoch or math.inf
    return max(1, int(min(fitting, most)))


def _seconds_of_update(engine: Engine, stream: TextStream, patience: float) -> float:
    engine.warm_up()

    def some() -> int:
        chunk = stream.take(engine.block)
        engine.train(chunk.inputs, chunk.targets, np.full(len(chunk.inputs), 1e-6, np.float32), carry=stream.carries)
        return len(chunk.inputs)

    some()  # the caches are filled, memory is touched
    started = time.perf_counter()
    done = 0
    while time.perf_counter() - started < patience:
        done += some()
    return (time.perf_counter() - started) / done


def _seconds_of_events(
    model: LanguageModel, training: TrainingConfig, stream: TextStream, validation_ids: Ids
) -> tuple[float, float]:
    """What the evaluation at the end takes, and what evaluations and samples take an update."""
    model.warm_up()
    each = 0.0
    if training.sample_every:
        model.sample(max_new_tokens=1)  # compiles the kernels that write
        sampling = SamplingConfig(max_new_tokens=LETTERS)
        sample = _seconds(lambda: list(model.stream("", sampling)))
        each += sample / LETTERS * training.sample_length / training.sample_every
    if len(validation_ids) < 2:
        return 0.0, each
    evaluation = seconds_of_evaluation(model, validation_ids)
    return evaluation, each + evaluation / (training.evaluate_every or stream.updates_per_epoch)


def seconds_of_evaluation(model: LanguageModel, validation_ids: Ids) -> float:
    """Return the seconds that one evaluation takes, estimated from a piece of the held-out text."""
    piece = validation_ids[:TIMED_CHARACTERS]
    if model.document_end is not None and np.all(piece == model.document_end):
        piece = validation_ids[:]  # a line of it has a character, or the trainer would have refused it
    return _seconds(lambda: model.estimate(piece)) * len(validation_ids) / len(piece)


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started

"""Check the gradients on the text of a run, with the initial and with trained parameters.

T time steps, L layers, m hidden units.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from recurra import engines
from recurra.config import ModelConfig, TrainingConfig
from recurra.engines.engine import Start
from recurra.inference.sampling import SamplingConfig
from recurra.io import tensor_file
from recurra.model import from_tensors
from recurra.network import gradient_check, gradient_survey
from recurra.network.gradient_check import MAX_MULTIPLICATIONS, Progress, ignore_progress
from recurra.network.gradient_comparison import NAMES, Problem
from recurra.network.network import State
from recurra.network.parameters import count, initialize
from recurra.network.state import map_state, named_state, state_of
from recurra.runs.saved_model import locate
from recurra.system.random_streams import stream
from recurra.text.id_file import Ids
from recurra.text.reading import Source, read, require_enough_text
from recurra.text.streams import SequentialStream
from recurra.text.text import Text

Array = NDArray[Any]
TRAINED_UPDATES = 1000  # updates before the second check of `prove`
BIAS_SCALE = 0.1  # standard deviation of the biases and h_0 in `first_problem`


class Bounds(TypedDict, total=False):
    """The limit, the seed and the progress callback of a check: see `gradient_check.check`."""

    work: int | None
    seed: int
    progress: Progress


def prove(
    sources: Source | Sequence[Source] = (),
    *,
    text: Text | None = None,
    encoding: str = "utf-8",
    model: ModelConfig | None = None,
    training: TrainingConfig | None = None,
    work: int | None = MAX_MULTIPLICATIONS,
    progress: Progress = ignore_progress,
) -> dict[str, Any]:
    """Check the gradients on the first sequence of a text, with the initial parameters and after 1,000 updates.

    The second check starts from the hidden state after these updates. A large network is trained for fewer updates,
    so that they take at most `MAX_MULTIPLICATIONS`. `gradient_check.check` describes `work` and `progress`.
    """
    config, training = model or ModelConfig(), training or TrainingConfig()
    text = text or read(sources, encoding)
    require_enough_text(text, training.sequence_length)
    ids = text.ids
    training = dataclasses.replace(training, batch_size=1)
    initial = initialize(config, len(text.vocabulary), seed=training.seed, scale=training.initial_scale)
    T = training.sequence_length
    updates = min(TRAINED_UPDATES, max(1, MAX_MULTIPLICATIONS // (T * count(initial))))
    trained, state = _train(config, training, initial, ids, updates)
    bounded: Bounds = {"work": work, "seed": training.seed, "progress": progress}
    return figures(config, initial, trained, ids[: T + 1], state, **bounded) | {"trained_updates": updates}


def prove_model(
    path: str | Path,
    training: TrainingConfig | None = None,
    work: int | None = MAX_MULTIPLICATIONS,
    progress: Progress = ignore_progress,
) -> dict[str, Any]:
    """Check the gradients of a saved model, from its saved hidden state, on a sequence that the model samples."""
    training = training or TrainingConfig()
    model_path = locate(path)
    tensors, metadata = tensor_file.read(model_path)
    model = from_tensors(model_path, tensors, metadata)
    symbols = len(model.vocabulary)
    initial = initialize(model.config, symbols, seed=training.seed, scale=training.initial_scale)
    sampling = SamplingConfig(max_new_tokens=training.sequence_length + 1, seed=training.seed)
    ids = model.vocabulary.encode("".join(model.stream("", sampling)))
    carried = state_of(model.config, named_state(model.zero_state()) | tensors)
    first = map_state(lambda field: field[:, :1], carried)
    bounded: Bounds = {"work": work, "seed": training.seed, "progress": progress}
    return figures(model.config, initial, model.parameters, ids, first, **bounded)


def first_problem(text: Text, config: ModelConfig, training: TrainingConfig) -> Problem:
    """Return a new network and the first sequence of a text, for another program to differentiate.

    The weights are the initial ones of `training`. The biases and h_0 are drawn from N(0, 0.1^2) and not zero, so that
    a program that omits one of them computes a wrong gradient.
    """
    require_enough_text(text, training.sequence_length)
    K, seed = len(text.vocabulary), training.seed
    weights = initialize(config, K, seed=seed, scale=training.initial_scale)
    arrays = {letter: weights[name].astype(np.float64) for letter, name in NAMES.items() if name in weights}
    for letter, size in (("b", config.hidden_size), ("c", K), ("h0", config.hidden_size)):
        arrays[letter] = BIAS_SCALE * stream(seed, f"gradient problem {letter}").normal(size)
    ids = np.asarray(text.ids[: training.sequence_length + 1])
    return Problem(arrays, ids[:-1], ids[1:])


def prove_every(seed: int = 0) -> dict[str, Any]:
    """Check the gradients of small networks of every cell, depth, dropout and batch; return the worst of each cell."""
    started = time.perf_counter()
    table = gradient_check.to_table(gradient_survey.survey(seed))
    configurations = len(list(gradient_survey.configurations()))
    return table | {"configurations": configurations, "seconds": time.perf_counter() - started}


def figures(
    config: ModelConfig,
    initial: Mapping[str, Array],
    trained: Mapping[str, Array],
    ids: Array,
    state: State,
    **bounded: Unpack[Bounds],
) -> dict[str, Any]:
    """Return the object of `check --json`.

    Args:
        config: the network.
        initial, trained: the parameters of the first and of the second check.
        ids: (T + 1,) integers; the inputs are ids[:-1], the targets ids[1:].
        state: (L, 1, m), the hidden state before the second check; the first starts from zeros.
        **bounded: see `Bounds`.
    """
    started = time.perf_counter()
    results = gradient_check.check_initial_and_trained(
        config,
        {name: array.astype(np.float64) for name, array in initial.items()},
        {name: array.astype(np.float64) for name, array in trained.items()},
        ids[:-1, np.newaxis],
        ids[1:, np.newaxis],
        map_state(lambda field: field.astype(np.float64), state),
        **bounded,
    )
    return gradient_check.to_table({config.cell: results}) | {
        "parameters": count(initial),
        "seconds": time.perf_counter() - started,
    }


def _train(
    config: ModelConfig, training: TrainingConfig, initial: Mapping[str, Array], ids: Ids, updates: int
) -> tuple[dict[str, Array], State]:
    engine = engines.create(config, training, Start(initial))
    source = SequentialStream(ids, training.sequence_length, 1)
    done = 0
    while done < updates:
        if source.at_epoch_start:
            engine.zero_state()
        chunk = source.take(updates - done)
        rates = np.full(len(chunk.inputs), training.learning_rate, np.float32)
        engine.train(chunk.inputs, chunk.targets, rates)
        done += len(chunk.inputs)
    return engine.parameters(), engine.state()

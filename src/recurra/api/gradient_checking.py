"""Comparison of the hand-derived gradients with numerical gradients, for new networks and for saved models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Unpack

from recurra.config import ModelSettings, arguments, configs
from recurra.errors import UsageError
from recurra.interop import gradient_file
from recurra.network import gradient_comparison
from recurra.network.gradient_check import MAX_MULTIPLICATIONS, Progress, ignore_progress
from recurra.runs import gradient_proof
from recurra.system.shell import path_argument
from recurra.text.model_files import require_texts
from recurra.text.reading import Source, list_sources
from recurra.text.splits import read_text
from recurra.text.text import Text


class CheckSettings(ModelSettings, total=False):
    """The keyword arguments of `check`: the settings of the network, a preset, the sequence length and the seed."""

    preset: str
    sequence_length: int
    seed: int


def check(
    model: str | Path | None = None,
    *,
    sources: Source | Sequence[Source] = (),
    text: str | Text | None = None,
    encoding: str | None = None,
    every: bool = False,
    complete: bool = False,
    announce: Callable[[], None] | None = None,
    progress: Progress | None = None,
    **settings: Unpack[CheckSettings],
) -> dict[str, Any]:
    """Compare each element of the gradients with central differences and with the complex step.

    The gradient of a parameter is right if it agrees with the complex step to a relative difference of 1e-12.

    Args:
        model: a run directory or a checkpoint file; None: a new network, checked at its initial weights and after
            1,000 updates.
        sources: for a new network: book names, files or folders; empty: the default book.
        text: for a new network: the text itself, instead of `sources`.
        encoding: the encoding of the files, or "bytes" (default: utf-8).
        every: check small networks of every kind.
        complete: check every element; False: check a random sample of the elements of a large network.
        announce: a function, called once when the arguments are valid and the check begins.
        progress: a function, called with the numbers of elements checked and in all.
        **settings: cell, activation, hidden_size, layers, preset, sequence_length, seed and other network settings.

    Returns:
        the keys of `recurra check --json`, among them "passed".

    Raises:
        UsageError: if arguments cannot be combined.
        TextError, ModelError, CheckpointError: if the text or the model cannot be read.
    """
    arguments.require_known(settings, CheckSettings.__annotations__)
    config, training = configs(settings)
    network_settings: dict[str, Any] = {
        name: value for name, value in settings.items() if name in ModelSettings.__annotations__
    }
    listed, path = list_sources(sources), None if model is None else arguments.path("model", model)
    encoding = arguments.text_or_none("encoding", encoding)
    text_arguments: dict[str, Any] = {"text": listed or text, "encoding": encoding}
    every, complete = arguments.flag("every", every), arguments.flag("complete", complete)
    for name, function in (("announce", announce), ("progress", progress)):
        arguments.function(name, function)
    if every:
        others: dict[str, Any] = {
            "MODEL": path,
            "preset": settings.get("preset"),
            "sequence_length": settings.get("sequence_length"),
        }
        message = "`--every` cannot be combined with {}; it has its own networks and texts."
        arguments.refuse_besides(message, **others, **network_settings, **text_arguments)
    if path is not None:
        arguments.refuse_besides(
            "MODEL cannot be combined with {}; it has its own network and text.", **network_settings, **text_arguments
        )
    require_texts(listed, lambda path: f"to check a trained network: `recurra check {path_argument(path)}`.", encoding)
    if announce is not None:
        announce()
    work, show = None if complete else MAX_MULTIPLICATIONS, progress or ignore_progress
    if every:
        return gradient_proof.prove_every(training.seed)
    if path is not None:
        return gradient_proof.prove_model(path, training, work, show)
    loaded_text = None if text is None else read_text(listed, text, encoding)
    return gradient_proof.prove(
        listed,
        text=loaded_text,
        encoding=encoding or "utf-8",
        model=config,
        training=training,
        work=work,
        progress=show,
    )


def compare_gradients(path: str | Path) -> dict[str, Any]:
    """Compare the gradients that another program computed with those of recurra.

    A gradient is right if its largest difference is at most 1e-6 of its largest element, or 1e-4 in single precision.

    Args:
        path: an .npz or MAT-file. It has the parameters U, W, b, V and c of one elman layer with tanh, h0, the
            sequence as X and Y (one-hot) or as inputs and targets (ids), and gradients, such as grads.U or dU.

    Returns:
        the keys of `recurra check --against FILE --json`. For a wrong gradient, "likely_mistake" names the mistake
        that gives exactly this gradient, or is None.

    Raises:
        ModelError: if an array is missing or has the wrong shape, or if the loss is not finite.
        CheckpointError: if the file is damaged.
    """
    place = arguments.path("path", path)
    problem, theirs, their_loss = gradient_file.read(place)
    loss, differences = gradient_comparison.compare(problem, theirs)
    return {
        "file": str(place),
        "hidden_size": len(problem.arrays["b"]),
        "symbols": len(problem.arrays["c"]),
        "sequence_length": len(problem.inputs),
        "loss": loss,
        "their_loss": their_loss,
        "gradients": {letter: difference._asdict() for letter, difference in differences.items()},
        "absent": [letter for letter in problem.arrays if letter not in differences],
        "passed": all(difference.passed for difference in differences.values()),
    }


def write_gradient_problem(
    path: str | Path,
    sources: Source | Sequence[Source] = (),
    *,
    text: str | Text | None = None,
    encoding: str | None = None,
    force: bool = False,
    **settings: Unpack[CheckSettings],
) -> Path:
    """Write a new network and the first sequence of a text, so that another program can compute gradients.

    The file has U, W, b, V, c, h0, and the sequence in two forms: one-hot columns X and Y, and the ids inputs and
    targets, which count from 1 in a MAT-file and from 0 in an .npz file. Add gradients to the file, and
    `compare_gradients` compares them.

    Args:
        path: the .npz or MAT-file to write; a MAT-file needs the package scipy.
        sources: names of books, files or folders; none: the default book.
        text: the text itself, instead of `sources`.
        encoding: the encoding of the sources; None: UTF-8.
        force: True replaces an existing file.
        settings: hidden_size, preset, sequence_length and seed.

    Returns:
        the path of the file.

    Raises:
        UsageError: if the settings describe any network but one elman layer with tanh.
    """
    place, force = arguments.path("path", path), arguments.flag("force", force)
    arguments.require_known(settings, CheckSettings.__annotations__)
    config, training = configs(settings)
    if (config.cell, config.activation, config.layers) != ("elman", "tanh", 1):
        raise UsageError(
            f"a gradient file holds one elman layer with tanh; got {config.cell} ({config.activation}), "
            f"{config.layers} layers.",
            hint="leave out the preset and the options of the network, except `--hidden-size`.",
        )
    listed = list_sources(sources)
    encoding = arguments.text_or_none("encoding", encoding)
    require_texts(listed, lambda _: "give a text, not a model.", encoding)
    problem = gradient_proof.first_problem(read_text(listed, text, encoding), config, training)
    return gradient_file.write(place, problem, force=force)

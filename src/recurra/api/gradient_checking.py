"""The proof that the hand-written gradients are right: of a new network, of a saved model, of every kind of network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Unpack

from recurra.config import ModelSettings, arguments, configs
from recurra.network.gradient_check import MAX_MULTIPLICATIONS, Progress, ignore_progress
from recurra.runs import gradient_proof
from recurra.system.shell import path_argument
from recurra.text.model_files import require_texts
from recurra.text.reading import Source, list_sources
from recurra.text.splits import read_text
from recurra.text.text import Text


class CheckSettings(ModelSettings, total=False):
    """The settings of `check` as keyword arguments: those of the network, and these of its training."""

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
    """Prove the gradients element by element; returns the keys of `recurra check --json`, "passed" among them.

    model
        a run's folder or a checkpoint file; None: a new network, at its initial weights and after 1,000 updates
    sources
        of a new network: a book's name, files or folders to check on, in `encoding`; none: the default book
    text
        the text itself, in place of sources
    every
        check small networks of every kind
    complete
        check every element, however long that takes; else of a large network a random sample
    announce
        a function that is called once, when the settings have proved right and the check begins
    progress
        a function that is called with the numbers of elements that are checked and of all
    settings
        cell, activation, hidden_size, layers, preset, sequence_length, seed

    A parameter is right if the complex step confirms it to 1e-12. Raises UsageError for settings that do not go
    together, and the errors of `load` and `train` for a model and a text.
    """
    arguments.require_known(settings, CheckSettings.__annotations__)
    config, training = configs(settings)
    of_network: dict[str, Any] = {
        name: value for name, value in settings.items() if name in ModelSettings.__annotations__
    }
    listed, path = list_sources(sources), None if model is None else arguments.path("model", model)
    encoding = arguments.text_or_none("encoding", encoding)
    of_text: dict[str, Any] = {"text": listed or text, "encoding": encoding}
    every, complete = arguments.flag("every", every), arguments.flag("complete", complete)
    for name, function in (("announce", announce), ("progress", progress)):
        arguments.function(name, function)
    if every:
        others: dict[str, Any] = {
            "MODEL": path,
            "preset": settings.get("preset"),
            "sequence_length": settings.get("sequence_length"),
        }
        message = "`--every` has its own networks and texts; got {} besides."
        arguments.refuse_besides(message, **others, **of_network, **of_text)
    if path is not None:
        arguments.refuse_besides("MODEL has its own network and text; got {} besides.", **of_network, **of_text)
    require_texts(listed, lambda given: f"`recurra check {path_argument(given)}` checks a trained network.", encoding)
    if announce is not None:
        announce()
    work, show = None if complete else MAX_MULTIPLICATIONS, progress or ignore_progress
    if every:
        return gradient_proof.prove_every(training.seed)
    if path is not None:
        return gradient_proof.prove_model(path, training, work, show)
    given = None if text is None else read_text(listed, text, encoding)
    return gradient_proof.prove(
        listed,
        text=given,
        encoding=encoding or "utf-8",
        model=config,
        training=training,
        work=work,
        progress=show,
    )

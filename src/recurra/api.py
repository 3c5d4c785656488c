"""The Python interface in one call: settings by name, a text in, a trained model and its report out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recurra.config import configs
from recurra.report.document import write_report
from recurra.text.reading import Source, Text
from recurra.training.run import REPORT, Announce, Listener, Run
from recurra.training.run import train as train_run


def train(
    sources: Source | Sequence[Source] = (),
    *,
    text: str | Text | None = None,
    run: str | Path | None = None,
    force: bool = False,
    encoding: str = "utf-8",
    proof: bool = True,
    report: bool = True,
    listeners: Sequence[Listener] = (),
    announce: Announce | None = None,
    **settings: Any,
) -> Run:
    """Train a model; returns the Run: its best `model`, its `folder` and `summary`.

    sources     a book's name, files or folders; none: the default book
    text        the text itself, in place of sources
    run         the run's folder (default: runs/ and the text's name); `force` replaces an old run there
    encoding    of files: any codec, or `bytes`
    proof       check the gradients at the end; `report` writes report.html
    listeners   functions called with every event of training; `announce` once before them
    settings    the fields of `ModelConfig` and `TrainingConfig`, such as updates=100_000, seed=0, hidden_size=100

        run = recurra.train("book.txt", preset="seed", updates=100_000, seed=0)
        print(run.model.sample("In the beginning", temperature=0.7))

    Raises the errors of `recurra.errors`.
    """
    model, training = configs(settings)
    trained = train_run(
        sources,
        text=text,
        run=run,
        force=force,
        model=model,
        training=training,
        encoding=encoding,
        with_proof=proof,
        listeners=listeners,
        announce=announce,
    )
    if report:
        write_report([trained.folder], trained.folder / REPORT)
    return trained

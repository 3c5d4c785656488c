"""The Python interface in one call: settings by name, a text in, a trained model and its report out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recurra.config import configs
from recurra.errors import UsageError
from recurra.model import LanguageModel, load
from recurra.report import held_out
from recurra.report.document import write_report
from recurra.text.reading import Source, Text
from recurra.text.vocabulary import Vocabulary
from recurra.training.provenance import Learned
from recurra.training.run import REPORT, Announce, Listener, Run, read_text
from recurra.training.run import train as train_run
from recurra.training.trainer import Trainer


def train(
    sources: Source | Sequence[Source] = (),
    *,
    text: str | Text | None = None,
    start: str | Path | None = None,
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
    start       a run's folder or a checkpoint whose model learns on: its network and its characters are kept
    run         the run's folder (default: runs/ and the text's name); `force` replaces an old run there
    encoding    of files: any codec, or `bytes`
    proof       check the gradients at the end; `report` writes report.html
    listeners   functions called with every event of training; `announce` once before them
    settings    the fields of `ModelConfig` and `TrainingConfig`, such as time_limit="2m", seed=0, hidden_size=100;
                preset="auto", which holds unless another is named, chooses for the text and the time

        run = recurra.train("book.txt", time_limit="10m")
        run = recurra.train("book.txt", preset="seed", updates=100_000, seed=0)
        print(run.model.sample("In the beginning", temperature=0.7))

    Raises the errors of `recurra.errors`.
    """
    settings = {"preset": "auto"} | settings
    model = None if start is None else load(start)
    if model is not None:
        settings |= _network_of(model, settings)
    configs(settings)  # what makes no sense is told before a long text is read
    found = read_text(sources, text, encoding)
    config, training = configs(settings, len(found))
    told: list[Learned] = []

    def tell(text: Text, vocabulary: Vocabulary, trainer: Trainer, folder: Path) -> None:
        told.append(Learned(text, trainer.training))
        if announce is not None:
            announce(text, vocabulary, trainer, folder)

    trained = train_run(
        text=found,
        start=model,
        run=run,
        force=force,
        model=config,
        training=training,
        with_proof=proof,
        listeners=listeners,
        announce=tell,
    )
    trained.summary.update(held_out.add(trained.folder, trained.model, told[0]))
    if report:
        write_report([trained.folder], trained.folder / REPORT)
    return trained


def _network_of(model: LanguageModel, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of the network that learns on; UsageError where others were given."""
    own = model.config.to_table()
    for name, value in own.items():
        if settings.get(name, value) != value:
            raise UsageError(f"`{name}` of the model to start from is {value!r}; got {settings[name]!r}.")
    return own

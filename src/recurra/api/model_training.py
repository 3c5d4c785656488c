"""Training by name: a text and settings to a trained model, the directory of its run and its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

from recurra.config import Settings, arguments, configs
from recurra.distributed.ranks import Ranks, current
from recurra.distributed.worker import end_workers, run_worker
from recurra.errors import UsageError
from recurra.model import LanguageModel
from recurra.report.document import write_report
from recurra.runs.layout import REPORT
from recurra.runs.restart import find_launched_run
from recurra.runs.run import Announce, Listener, Run, TrainingHooks
from recurra.runs.run import resume as resume_run
from recurra.runs.run import train as train_run
from recurra.runs.saved_model import load
from recurra.system.shell import path_argument
from recurra.text.model_files import require_texts
from recurra.text.reading import Source, list_sources
from recurra.text.splits import read_text
from recurra.text.text import Text


def train(
    sources: Source | Sequence[Source] = (),
    *,
    text: str | Text | None = None,
    start: str | Path | None = None,
    extend_vocabulary: bool = False,
    run: str | Path | None = None,
    force: bool = False,
    resume: bool = False,
    encoding: str | None = None,
    proof: bool = True,
    report: bool = True,
    listeners: Sequence[Listener] = (),
    announce: Announce | None = None,
    **settings: Unpack[Settings],
) -> Run:
    """Train a model; returns the Run: its best `model`, its `folder` and `summary`.

    sources
        a book's name, files or folders; none: the default book
    text
        the text itself, in place of sources
    start
        a run's folder or a checkpoint whose model learns on: its network and its characters are kept, and with
        `extend_vocabulary` the text's other characters are added to them
    run
        the run's folder (default: runs/ and the text's name); `force` replaces an old run there
    resume
        go on with the training in `run`: its text is read again, unless another of its characters is given (with
        `extend_vocabulary`, of any); `settings` change its own, those that may change
    encoding
        of files: any codec (utf-8, unless given), or `bytes`
    proof
        check the gradients at the end; `report` writes report.html
    listeners
        functions called with every event of training; `announce` once before them
    settings
        the fields of `ModelConfig` and `TrainingConfig`, such as time_limit="2m", seed=0, hidden_size=100;
        preset="auto", which holds unless another is named, chooses for the text and the time

    ::

        run = recurra.train("book.txt", time_limit="10m")
        run = recurra.train("book.txt", preset="classic", updates=100_000, seed=0)
        run = recurra.train(run="runs/book", resume=True, updates=200_000)
        print(run.model.sample("In the beginning", temperature=0.7))

    Where torchrun has started several processes they train together: the first does all that is said here, and in the
    others `train` ends the process when the training ends. After a restart it goes on with the run that it began.

    Raises the errors of `recurra.errors`.
    """
    sources = list_sources(sources)
    start = None if start is None else arguments.path("start", start)
    run = None if run is None else arguments.path("run", run)
    flags = {"extend_vocabulary": extend_vocabulary, "force": force, "resume": resume, "proof": proof, "report": report}
    for name, value in flags.items():
        arguments.flag(name, value)
    _require_functions(listeners, announce)
    if extend_vocabulary and start is None and not resume:
        raise UsageError("`extend_vocabulary` needs a model to start from.", hint="give `start`, or `--from MODEL`.")
    ranks = current()
    if ranks is not None and not ranks.is_leader:
        raise SystemExit(run_worker(ranks, text))
    watched: TrainingHooks = {"with_proof": proof, "listeners": listeners, "announce": announce, "ranks": ranks}
    with end_workers(ranks):
        _refuse_standard_input(sources, ranks)
        require_texts(sources, _with_model, encoding)
        begun = None if resume else find_launched_run(run, force=force)
        if begun is not None and begun.has_checkpoint:
            trained = resume_run(begun.folder, text=text, **watched)
        elif resume:
            folder = _resumable(run, force=force, start=start)
            trained = resume_run(
                folder,
                sources,
                text=text,
                settings=settings,
                extend_vocabulary=extend_vocabulary,
                encoding=encoding,
                **watched,
            )
        else:
            trained = _train_anew(
                sources,
                text,
                start,
                settings,
                encoding,
                extend_vocabulary=extend_vocabulary,
                run=run if begun is None else begun.folder,
                force=force or begun is not None,
                **watched,
            )
    if report:
        write_report([trained.folder], trained.folder / REPORT)
    return trained


def _require_functions(listeners: Sequence[Listener], announce: Announce | None) -> None:
    """UsageError unless `listeners` are functions, and `announce` is one or None."""
    if not isinstance(listeners, (list, tuple)) or not all(map(callable, listeners)):
        hint = "put the function into a list: `listeners=[function]`." if callable(listeners) else None
        raise arguments.invalid_argument("listeners", "a list of functions", listeners, hint)
    arguments.function("announce", announce)


def _with_model(path: Path) -> str:
    """The hint if a model was given as a text: what to do with it, or with the run if it is a run's folder."""
    given = path_argument(path)
    resuming = f"`recurra train --resume --run {given}` goes on with its training; " if path.is_dir() else ""
    return f"{resuming}`recurra train TEXT --from {given}` learns a text with its model."


def _refuse_standard_input(sources: Sequence[Source], ranks: Ranks | None) -> None:
    """UsageError where several processes would each have to read it."""
    if ranks is not None and "-" in map(str, sources):
        raise UsageError(
            f"{ranks.size} processes cannot all read standard input.", hint="write the text to a file, and name that."
        )


def _resumable(run: str | Path | None, *, force: bool, start: str | Path | None) -> str | Path:
    """The folder of the run to resume; UsageError where none is given, or what a resumed run cannot do."""
    if run is None:
        raise UsageError(
            "which run is to be resumed?", hint="name its folder, for example `recurra train --resume --run runs/kjv`."
        )
    for name, given in (("--force", force), ("--from", start is not None)):
        if given:
            raise UsageError(f"give either `--resume` or `{name}`: a resumed run goes on with what it has.")
    return run


def _train_anew(
    sources: Source | Sequence[Source],
    text: str | Text | None,
    start: str | Path | None,
    given: Settings,
    encoding: str | None,
    *,
    extend_vocabulary: bool,
    run: str | Path | None,
    force: bool,
    **watched: Unpack[TrainingHooks],
) -> Run:
    settings: dict[str, Any] = {"preset": "auto", **given}
    model = None if start is None else load(start)
    if model is not None:
        settings |= _network_of(model, settings)
    configs(settings)  # what makes no sense is told before a long text is read
    found = read_text(sources, text, encoding)
    config, training = configs(settings, len(found))
    found = found if model is None else found.respell(model.vocabulary)
    if model is not None and extend_vocabulary and model.vocabulary.is_bytes == found.is_bytes:
        model = model.extended(found.vocabulary, seed=training.seed)
    return train_run(found, start=model, model=config, training=training, run=run, force=force, **watched)


def _network_of(model: LanguageModel, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of the network that learns on; UsageError where others were given."""
    own = model.config.to_table()
    for name, value in own.items():
        given = arguments.unwrap_numpy(settings.get(name, value))
        if type(given) is not type(value) or given != value:
            raise UsageError(f"`{name}` of the model to start from is {value!r}; got {arguments.short_repr(given)}.")
    return own

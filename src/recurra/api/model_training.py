"""Training from a text and settings to a model, a run directory and a report."""

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
    """Train a model on a text.

    If torchrun started several processes, they train together. `train` returns in the leader process only; in the
    worker processes it ends the process when the training ends. After a restart by torchrun, the processes resume
    their run.

    Args:
        sources: book names, files or folders; empty: the default book.
        text: the text itself, instead of `sources`.
        start: a run directory or a checkpoint file from whose model training starts, with its network and vocabulary.
        extend_vocabulary: with `start` or `resume`: add the new characters of the text to the vocabulary.
        run: the run directory; None: runs/ and the name of the text.
        force: replace an existing run in the run directory.
        resume: resume the training in `run` on the same text, or on the given text. `settings` replace the settings
            of the run that may change.
        encoding: the encoding of the files, or "bytes" (default: utf-8).
        proof: check the gradients at the end.
        report: write report.html at the end.
        listeners: functions, each called with every training event.
        announce: a function, called once before the first event.
        **settings: the fields of `ModelConfig` and `TrainingConfig`, such as time_limit="2m", seed=0, hidden_size=100.
            The default preset="auto" chooses a network for the text and the time.

    Returns:
        the run, with its best `model`, its `folder` and its `summary`.

    Raises:
        RecurraError: one of its subclasses in `recurra.errors`.

    ::

        run = recurra.train("book.txt", time_limit="10m")
        run = recurra.train("book.txt", preset="classic", updates=100_000, seed=0)
        run = recurra.train(run="runs/book", resume=True, updates=200_000)
        print(run.model.sample("In the beginning", temperature=0.7))
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
    hooks: TrainingHooks = {"with_proof": proof, "listeners": listeners, "announce": announce, "ranks": ranks}
    with end_workers(ranks):
        _refuse_standard_input(sources, ranks)
        require_texts(sources, _with_model, encoding)
        interrupted = None if resume else find_launched_run(run, force=force)
        if interrupted is not None and interrupted.has_checkpoint:
            trained = resume_run(interrupted.folder, text=text, **hooks)
        elif resume:
            folder = _resumable(run, force=force, start=start)
            trained = resume_run(
                folder,
                sources,
                text=text,
                settings=settings,
                extend_vocabulary=extend_vocabulary,
                encoding=encoding,
                **hooks,
            )
        else:
            trained = _train_anew(
                sources,
                text,
                start,
                settings,
                encoding,
                extend_vocabulary=extend_vocabulary,
                run=run if interrupted is None else interrupted.folder,
                force=force or interrupted is not None,
                **hooks,
            )
    if report:
        write_report([trained.folder], trained.folder / REPORT)
    return trained


def _require_functions(listeners: Sequence[Listener], announce: Announce | None) -> None:
    """Raise UsageError if an element of `listeners` or `announce` is not a function."""
    if not isinstance(listeners, (list, tuple)) or not all(map(callable, listeners)):
        hint = "put the function into a list: `listeners=[function]`." if callable(listeners) else None
        raise arguments.invalid_argument("listeners", "a list of functions", listeners, hint)
    arguments.function("announce", announce)


def _with_model(path: Path) -> str:
    """Return the hint for a model or a run directory that was given as a text."""
    name = path_argument(path)
    resuming = f"`recurra train --resume --run {name}` resumes its training; " if path.is_dir() else ""
    return f"{resuming}`recurra train TEXT --from {name}` trains its model on a text."


def _refuse_standard_input(sources: Sequence[Source], ranks: Ranks | None) -> None:
    """Raise UsageError if several processes would have to read standard input."""
    if ranks is not None and "-" in map(str, sources):
        raise UsageError(
            f"{ranks.size} processes cannot all read standard input.",
            hint="write the text to a file and name the file.",
        )


def _resumable(run: str | Path | None, *, force: bool, start: str | Path | None) -> str | Path:
    """Return the run directory to resume; UsageError if it is missing or an argument cannot be combined with it."""
    if run is None:
        raise UsageError(
            "`--resume` needs `--run`.", hint="name the run directory: `recurra train --resume --run runs/kjv`."
        )
    for name, is_given in (("--force", force), ("--from", start is not None)):
        if is_given:
            raise UsageError(f"`--resume` cannot be combined with `{name}`.", hint=f"remove `--resume` or `{name}`.")
    return run


def _train_anew(
    sources: Source | Sequence[Source],
    text: str | Text | None,
    start: str | Path | None,
    changes: Settings,
    encoding: str | None,
    *,
    extend_vocabulary: bool,
    run: str | Path | None,
    force: bool,
    **hooks: Unpack[TrainingHooks],
) -> Run:
    settings: dict[str, Any] = {"preset": "auto", **changes}
    model = None if start is None else load(start)
    if model is not None:
        settings |= _network_of(model, settings)
    configs(settings)  # raise errors before a long text is read
    prepared = read_text(sources, text, encoding)
    config, training = configs(settings, len(prepared))
    prepared = prepared if model is None else prepared.respell(model.vocabulary)
    if model is not None and extend_vocabulary and model.vocabulary.is_bytes == prepared.is_bytes:
        model = model.extended(prepared.vocabulary, seed=training.seed)
    return train_run(prepared, start=model, model=config, training=training, run=run, force=force, **hooks)


def _network_of(model: LanguageModel, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the network settings of `model`; UsageError if `settings` differ from them."""
    network = model.config.to_table()
    for name, value in network.items():
        setting = arguments.unwrap_numpy(settings.get(name, value))
        if type(setting) is not type(value) or setting != value:
            raise UsageError(f"`{name}` of the model to start from is {value!r}; got {arguments.short_repr(setting)}.")
    return network

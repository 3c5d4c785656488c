"""What `recurra train` says before the first update and after the last."""

from __future__ import annotations

import itertools
import math
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from recurra.cli.terminal import paint, wrap
from recurra.cli.train_progress import SilentProgress
from recurra.config import HYPERPARAMETERS, SETTINGS, TrainingConfig, configs
from recurra.config.presets import MIN_SPLIT_CHARACTERS, PRESETS, choose_settings, current_preset, expected_loss
from recurra.formatting import describe_loss, describe_share, duration, plural, rate, sanitize
from recurra.network.parameters import count
from recurra.runs import records
from recurra.runs.run import Run
from recurra.system.executable import program, runnable
from recurra.system.shell import path_argument
from recurra.text.text import Text
from recurra.text.vocabulary import Vocabulary
from recurra.training.trainer import Trainer

LABEL = 10  # the width of the column of labels
BEGINNING = 8  # lines, and
SHOWN_CHARACTERS = 500  # characters, of the best model's text
FEW = 4  # parameters a character: a network that has more of them can learn its text by heart
SHOWN_EPOCHS = 5  # of which means are told; the report has all
MANY = ("TEXT",)  # stands for the files of a text that are too many for run.toml
OPTIONS = {"encoding": "--encoding", "start": "--from", "run": "--run"} | {
    name: setting.option for name, setting in SETTINGS.items()
}  # those of `recurra train` that take one value, by the names of `recurra.train`


def start_lines(
    text: Text, vocabulary: Vocabulary, trainer: Trainer, folder: Path, *, is_default: bool
) -> Iterator[str]:
    """The text, the network, the training and the folder: what is about to happen."""
    training, unit = trainer.training, "byte" if text.is_bytes else "character"
    default = " (the default book)" if is_default else ""
    length = plural(len(text), unit)
    yield _line(
        "text", f"{sanitize(text.name)}{default}: {length}, {len(vocabulary)} symbols, sha256 {text.sha256[:12]}"
    )
    for note in text.notes:
        yield _line("", f"note: {sanitize(runnable(note))}")
    yield _line(
        "network",
        f"{_network(trainer)}, {plural(count(trainer.initial), 'parameter')}; {_engine(trainer)}",
    )
    if training.preset == "auto" and not trainer.is_resumed:
        yield from _choice(len(text), trainer)
    if count(trainer.initial) > FEW * len(text):
        few = f"{plural(len(text), unit)} by heart"
        yield _line("", f"note: {plural(count(trainer.initial), 'parameter')} can learn {few}{_no_split(trainer)}")
    epochs = training.updates / trainer.stream.updates_per_epoch
    limit = f" within {duration(training.time_limit)}" if training.time_limit and not trainer.is_resumed else ""
    yield _line(
        "training",
        f"{plural(training.updates, 'update')} of {plural(trainer.characters_per_update, unit)}{limit}: "
        f"{epochs:.3g} epochs of {plural(trainer.stream.updates_per_epoch, 'update')}; seed {training.seed}",
    )
    yield _line("", _optimizer(training))
    if trainer.has_validation:
        patience = f"; patience {plural(training.patience, 'evaluation')}" if training.patience else ""
        test = f", and {100 * training.test:.3g} % after it" if training.test else ""
        where = f"{100 * training.validation:.3g} % of the text"
        yield _line("held out", f"{'the last ' if not test else ''}{where}{test}{patience}")
    yield _whole("run", _shown(folder))
    if trainer.is_resumed:
        yield _line("resumed", _resumed(trainer))


def _no_split(trainer: Trainer) -> str:
    """Return the words on a text of which preset auto holds out no part, because it is too short."""
    if trainer.has_validation or trainer.training.preset != "auto":
        return ""
    least = MIN_SPLIT_CHARACTERS
    return f", and will: a text of fewer than {least} has no part that can be held out to choose a model before"


def _resumed(trainer: Trainer) -> str:
    """Where a run goes on, or that nothing is left of it."""
    if trainer.has_updates_left:
        anew = trainer.update > 0 and trainer.stream.cursor == (0, 0)
        return f"at update {trainer.update:,}{', at the beginning of another text' if anew else ''}"
    why = "the held-out loss got no better" if trainer.out_of_patience else "all of them"
    return f"at update {trainer.update:,}, done: {why}; `--updates N` goes on"


def _choice(characters: int, trainer: Trainer) -> Iterator[str]:
    """What preset auto chose, why, and what to expect of it."""
    limit = trainer.training.time_limit
    choice = choose_settings(characters, PRESETS["auto"]["time_limit"] if limit is None else limit)
    time = f" and {duration(limit)}" if limit else ""
    wanting = f"; a larger one wants more {' and more '.join(choice.limited_by)}" if choice.limited_by else ""
    yield _line("chosen", f"by preset auto for {plural(characters, 'character')}{time}{wanting}")
    network, _ = configs(choice.settings)
    if (
        trainer.is_new and trainer.config == network
    ):  # what another one reaches, or one that learns on, was not measured
        nats = expected_loss(choice.network, trainer.training.updates * trainer.characters_per_update)
        yield _line("", f"to expect: about {describe_loss(nats)}, if the text is like Shakespeare's plays")


def _engine(trainer: Trainer) -> str:
    engine = trainer.engine
    device = f" on {engine.device}" if engine.name == "torch" else ""
    return (
        f"engine {engine.name}{device}{f', {trainer.processes.size} processes' if trainer.processes.size > 1 else ''}"
    )


def _network(trainer: Trainer) -> str:
    config, dropout = trainer.config, trainer.training.dropout
    cell = config.cell if config.activation == "tanh" else f"{config.cell} ({config.activation})"
    layers = f"{config.layers} layers of " if config.layers > 1 else ""
    dropped = f", dropout {dropout:g}" if dropout else ""
    return f"{cell}, {layers}{plural(config.hidden_size, 'unit')}{dropped}"


def _optimizer(training: TrainingConfig) -> str:
    """How the text is read, the optimizer, its rate and what bounds its gradients."""
    sizes = f"{training.batch_size} streams of {training.sequence_length}, " if training.batch_size > 1 else ""
    order = "" if training.order == "sequential" else f"{training.order} order, "
    documents = "" if training.documents is None else f"each of the {training.documents} by itself, "
    schedule = "" if training.schedule == "constant" else f", {training.schedule}"
    plateau = f", halved on each plateau of {training.plateau}" if training.plateau else ""
    value = f"; gradients within ±{training.clip_value:g}" if training.clip_value is not None else ""
    norm = f"; their norm at most {training.clip_norm:g}" if training.clip_norm is not None else ""
    average = f"; the model is a moving average, {training.ema:g}" if training.ema else ""
    rate = f"rate {training.learning_rate:g}{schedule}{plateau}"
    usual = HYPERPARAMETERS[training.optimizer]
    others = "".join(f", {name} {own:g}" for name, own in training.hyperparameters.items() if own != usual[name])
    return f"{sizes}{order}{documents}{training.optimizer}{others.replace('_', ' ')}, {rate}{value}{norm}{average}"


def end_lines(run: Run, seen: SilentProgress) -> Iterator[str]:
    """Speed, losses, means of epochs, held-out loss, the verdict on the gradients, and the best model's text."""
    summary, span, unit = run.summary, seen.seen.span, seen.seen.unit
    yield _line(
        "trained",
        f"{plural(summary['updates'], 'update')} in {duration(summary['seconds'])}: "
        f"{rate(summary['updates_per_second'], 'updates')}, {rate(summary['characters_per_second'], f'{unit}s')}",
    )
    if summary["out_of_patience"]:
        yield _line("", "ended early: the held-out loss got no better")
    if summary["out_of_time"]:
        planned = plural(summary["planned_updates"], "update")
        yield _line("", f"ended by the time limit; {planned} were planned, and run.toml has the number done")
    if summary["smooth_loss"] is not None:
        yield _line(
            "final", f"smooth loss {describe_loss(summary['smooth_loss'], span, unit)} at update {summary['updates']:,}"
        )
    if (lowest := seen.lowest) is not None:
        yield _line("lowest", f"smooth loss {describe_loss(lowest.loss, span, unit)} at update {lowest.update:,}")
    yield _line("epochs", _epochs(summary, unit))
    if summary["validation_nats_per_character"] is not None:
        held_out = describe_loss(summary["validation_nats_per_character"], 1, unit)
        yield _line("held out", f"{held_out}, the lowest, at update {summary['best_update']:,}")
    if summary["test_nats_per_character"] is not None:
        yield _line("test", f"{describe_loss(summary['test_nats_per_character'], 1, unit)}, by the best model")
    if summary["gradient_check"] is not None:
        yield _line("gradients", describe_gradient_check(summary["gradient_check"]))
    yield _line("text", f"by the best model, that of update {summary['best_update']:,}:")
    yield from _beginning(summary["best_sample"])


def divergence(summary: Mapping[str, Any], unit: str, command: str) -> Iterator[str]:
    """The last losses, if they are worse than those of a uniform guess, and the `command` to try."""
    recent, uniform = (summary[f"{name}_nats_per_character"] / math.log(2) for name in ("recent", "uniform"))
    yield (
        f"{paint('warning:', 'yellow')} the loss of the last updates, {recent:,.3f} bits a {unit}, is worse than "
        f"that of a uniform guess, {uniform:.3f} bits: the training has diverged."
    )
    yield f"{paint('hint:', 'bold')} train at a lower rate: {sanitize(command)}"


def slower_hint(texts: Sequence[str], named: Mapping[str, Any], rate: float, folder: Path) -> str:
    """Return the command that trains `texts` from the beginning with the options `named`, at learning rate `rate`.

    A resumed training takes its text and its preset from `folder`, and leaves its run as it is.
    """
    options = {name: value for name, value in named.items() if value is not None}
    if options.get("resume"):
        tables = records.load(folder).tables
        texts = texts or tables["text"].get("source") or MANY
        options = {"preset": current_preset(tables["training"]["preset"])} | options | {"run": None}
    words = ["train", *texts]
    for name, option in OPTIONS.items():
        value = f"{rate:g}" if name == "learning_rate" else options.get(name)
        words += [] if value is None else [option, str(value)]
    words += ["--extend-vocabulary"] if options.get("extend_vocabulary") and options.get("start") else []
    words += [] if options.get("proof", True) else ["--no-proof"]
    words += ["--force"] if options.get("run") else []
    return f"{program()} {shlex.join(words)}"


def page(address: str | None) -> Iterator[str]:
    """Where the live page is."""
    yield _line("live", address or "no page: its server did not start; the training goes on without it")


def next_steps(run: Run, report: Path) -> Iterator[str]:
    """Where the report is, and the command to try."""
    yield _whole("report", _shown(report))
    yield _whole("next", f"{program()} sample {path_argument(run.folder)}")


def describe_gradient_check(check: dict[str, Any]) -> str:
    """The verdict of a gradient check in one sentence."""
    figures = [figure for cell in check["cells"].values() for figure in cell.values()]
    if not check["passed"]:
        return paint("WRONG: they do not all agree with numerical ones; the report shows which", "red")
    worst = max(figure["max_rel_complex"] for figure in figures)
    sample = ""
    if check.get("checked", 0) < check.get("elements", 0):
        sample = f"; a random sample, {describe_share(check['checked'], check['elements'])}"
    return f"right: within {worst:.0e} of numerical ones (complex step, relative to the largest){sample}"


def _epochs(summary: dict[str, Any], unit: str) -> str:
    means = [mean["nats_per_character"] for mean in summary["epoch_means"]]
    if not means:
        return f"none is whole: {100 * summary['epochs']:.3g} % of the text was read"
    bits = [f"{mean / math.log(2):.3f}" for mean in means]
    shown = bits if len(bits) <= SHOWN_EPOCHS else [bits[0], "…", *bits[1 - SHOWN_EPOCHS :]]
    said = f"mean {shown[0]}" if len(bits) == 1 else f"means {', '.join(shown)}"
    count = summary["epoch_means"][-1]["epoch"]  # of a very long run not all means are kept
    return f"{count:,} whole: {said} bits a {unit}; the last {means[-1]:.3f} nats"


def _beginning(text: str) -> Iterator[str]:
    width = max(20, shutil.get_terminal_size().columns - LABEL - 3)
    lines = sanitize(text[:SHOWN_CHARACTERS]).expandtabs(4).split("\n")
    wrapped = itertools.chain.from_iterable(textwrap.wrap(line, width) or [""] for line in lines)
    for line in itertools.islice(wrapped, BEGINNING):
        yield f"{' ' * LABEL}{paint('|', 'dim')} {line}".rstrip()


def _line(label: str, words: str) -> str:
    return wrap(words, sys.stderr, label=label.ljust(LABEL), style="bold")


def _whole(label: str, words: str) -> str:
    """A line that is not folded: a path or a command, which may be copied."""
    return paint(label.ljust(LABEL), "bold") + words


def _shown(path: Path) -> str:
    return sanitize(str(path))

"""The start block and the end block that `recurra train` prints around the training."""

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

LABEL_WIDTH = 10  # terminal columns
SAMPLE_LINES = 8
SAMPLE_CHARACTERS = 500
MEMORIZING_RATIO = 4  # parameters per character; a network with more of them can memorize its text
SHOWN_EPOCHS = 5  # epochs whose mean loss is printed; the report lists all of them
PLACEHOLDER_TEXTS = ("TEXT",)  # for a text of more files than run.toml lists
OPTIONS = {"encoding": "--encoding", "start": "--from", "run": "--run"} | {
    name: setting.option for name, setting in SETTINGS.items()
}  # the options of `recurra train` that take one value, by their names in `recurra.train`


def start_lines(
    text: Text, vocabulary: Vocabulary, trainer: Trainer, folder: Path, *, is_default: bool
) -> Iterator[str]:
    """Yield the lines that describe the text, the network, the training and the run directory."""
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
    if count(trainer.initial) > MEMORIZING_RATIO * len(text):
        parameters = plural(count(trainer.initial), "parameter")
        memorized = f"a network of {parameters} can memorize {plural(len(text), unit)}"
        yield _line("", f"note: {memorized}{_no_split(trainer)}")
    epochs = training.updates / trainer.stream.updates_per_epoch
    limit = f" within {duration(training.time_limit)}" if training.time_limit and not trainer.is_resumed else ""
    yield _line(
        "training",
        f"{plural(training.updates, 'update')} of {plural(trainer.characters_per_update, unit)}{limit}: "
        f"{epochs:.3g} epochs of {plural(trainer.stream.updates_per_epoch, 'update')}; seed {training.seed}",
    )
    yield _line("", _optimizer(training, unit))
    if trainer.has_validation:
        patience = f"; patience {plural(training.patience, 'evaluation')}" if training.patience else ""
        validation = f"{100 * training.validation:.3g} % of the text"
        split = f"the last {validation}"
        if training.test:
            split = f"{validation} for validation, then the last {100 * training.test:.3g} % as the test text"
        yield _line("held out", split + patience)
    yield _whole("run", _escaped(folder))
    if trainer.is_resumed:
        yield _line("resumed", _resumed(trainer))


def _no_split(trainer: Trainer) -> str:
    """Return the end of the note if preset auto holds out no part of the text, because the text is too short."""
    if trainer.has_validation or trainer.training.preset != "auto":
        return ""
    return f"; a text of fewer than {MIN_SPLIT_CHARACTERS} characters has no held-out part to show it"


def _resumed(trainer: Trainer) -> str:
    """Return the update at which a run resumes, or the reason why no update is left."""
    if trainer.has_updates_left:
        is_new_text = trainer.update > 0 and trainer.stream.cursor == (0, 0)
        return f"at update {trainer.update:,}{', at the beginning of another text' if is_new_text else ''}"
    reason = "the held-out loss stopped improving" if trainer.out_of_patience else "all updates are done"
    return f"at update {trainer.update:,}: {reason}; give `--updates N` to train longer"


def _choice(characters: int, trainer: Trainer) -> Iterator[str]:
    """Yield the lines on the choice of preset auto: its reason, and the loss to expect."""
    limit = trainer.training.time_limit
    choice = choose_settings(characters, PRESETS["auto"]["time_limit"] if limit is None else limit)
    time = f" and {duration(limit)}" if limit else ""
    limits = f"; a larger network needs more {' and more '.join(choice.limited_by)}" if choice.limited_by else ""
    yield _line("chosen", f"by preset auto for {plural(characters, 'character')}{time}{limits}")
    network, _ = configs(choice.settings)
    if trainer.is_new and trainer.config == network:  # the measured losses hold for new networks of the presets only
        nats = expected_loss(choice.network, trainer.training.updates * trainer.characters_per_update)
        yield _line("", f"expected held-out loss for English like Shakespeare's: {describe_loss(nats)}")


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


def _optimizer(training: TrainingConfig, unit: str) -> str:
    """Describe the batch, the optimizer, its learning rate and the clipping of the gradients."""
    sizes = (
        f"{training.batch_size} streams of {plural(training.sequence_length, unit)}, "
        if training.batch_size > 1
        else ""
    )
    order = "" if training.order == "sequential" else f"{training.order} order, "
    documents = "" if training.documents is None else f"{training.documents} as separate documents, "
    schedule = "" if training.schedule == "constant" else f", {training.schedule} schedule"
    plateau = f", halved after {plural(training.plateau, 'evaluation')} without improvement" if training.plateau else ""
    value = f"; gradients clipped to ±{training.clip_value:g}" if training.clip_value is not None else ""
    norm = f"; gradient norm clipped to {training.clip_norm:g}" if training.clip_norm is not None else ""
    average = f"; moving average of the parameters with decay {training.ema:g}" if training.ema else ""
    rate = f"learning rate {training.learning_rate:g}{schedule}{plateau}"
    defaults = HYPERPARAMETERS[training.optimizer]
    changed = [(name, value) for name, value in training.hyperparameters.items() if value != defaults[name]]
    others = "".join(f", {name} {value:g}" for name, value in changed)
    return f"{sizes}{order}{documents}{training.optimizer}{others.replace('_', ' ')}, {rate}{value}{norm}{average}"


def end_lines(run: Run, seen: SilentProgress) -> Iterator[str]:
    """Yield the lines on speed, losses, epochs and gradients, and a sample from the best model."""
    summary, unit = run.summary, seen.seen.unit
    yield _line(
        "trained",
        f"{plural(summary['updates'], 'update')} in {duration(summary['seconds'])}: "
        f"{rate(summary['updates_per_second'], 'updates')}, {rate(summary['characters_per_second'], f'{unit}s')}",
    )
    if summary["out_of_patience"]:
        yield _line("", "stopped early: the held-out loss stopped improving")
    if summary["out_of_time"]:
        planned = plural(summary["planned_updates"], "update")
        yield _line("", f"stopped at the time limit, after {summary['updates']:,} of {planned} planned")
    yield from _losses(summary, seen, unit)
    yield _line("epochs", _epochs(summary, unit))
    if summary["gradient_check"] is not None:
        yield _line("gradients", describe_gradient_check(summary["gradient_check"]))
    yield _line("sample", f"from the best model (update {summary['best_update']:,}):")
    yield from _beginning(summary["best_sample"])


def _losses(summary: dict[str, Any], seen: SilentProgress, unit: str) -> Iterator[str]:
    """Yield the test loss and the held-out loss, if measured, and the smooth loss."""
    test, validation = summary["test_nats_per_character"], summary["validation_nats_per_character"]
    if test is not None:
        yield _line("test", f"{describe_loss(test, 1, unit)}, the best model on the test text: quote this loss")
    if validation is not None:
        quote = ": quote this loss" if test is None else ""
        yield _line(
            "best",
            f"{describe_loss(validation, 1, unit)} on the held-out text, at update {summary['best_update']:,}{quote}",
        )
    if summary["smooth_loss"] is not None:
        final = f"{describe_loss(summary['smooth_loss'], seen.seen.span, unit)} at update {summary['updates']:,}"
        yield _line("smooth", f"{final}: a moving average of the training loss")
    if (lowest := seen.lowest) is not None:
        loss = describe_loss(lowest.loss, seen.seen.span, unit)
        yield _line("", f"lowest smooth loss: {loss} at update {lowest.update:,}")


def divergence(summary: Mapping[str, Any], unit: str, command: str) -> Iterator[str]:
    """Yield a warning that the latest loss is above the loss of a uniform guess, and the `command` to try."""
    recent, uniform = (summary[f"{name}_nats_per_character"] / math.log(2) for name in ("recent", "uniform"))
    yield (
        f"{paint('warning:', 'yellow')} the training diverged: its latest loss, {recent:,.3f} bits/{unit}, is above "
        f"the loss of a uniform guess, {uniform:.3f} bits/{unit}."
    )
    yield f"{paint('hint:', 'bold')} use a lower learning rate: {sanitize(command)}"


def slower_hint(texts: Sequence[str], named: Mapping[str, Any], rate: float, folder: Path) -> str:
    """Return the command for a new training on `texts` with the options `named` and the learning rate `rate`.

    For a resumed training the command has the text and the preset of `folder` and writes to another run directory.
    """
    options = {name: value for name, value in named.items() if value is not None}
    if options.get("resume"):
        tables = records.load(folder).tables
        texts = texts or tables["text"].get("source") or PLACEHOLDER_TEXTS
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
    """Yield the line with the address of the live page."""
    yield _line("live", address or "no page: its server did not start; training continues without it")


def next_steps(run: Run, report: Path) -> Iterator[str]:
    """Yield the path of the report and the command to run next."""
    yield _whole("report", _escaped(report))
    yield _whole("next", f"{program()} sample {path_argument(run.folder)}")


def describe_gradient_check(check: dict[str, Any]) -> str:
    """Return the verdict of a gradient check in one sentence."""
    figures = [figure for cell in check["cells"].values() for figure in cell.values()]
    if not check["passed"]:
        return paint("WRONG: some differ from the numerical gradients; the report lists them", "red")
    worst = max(figure["max_rel_complex"] for figure in figures)
    sample = ""
    if check.get("checked", 0) < check.get("elements", 0):
        sample = f"; checked: {describe_share(check['checked'], check['elements'])}"
    return f"right: relative difference to the numerical gradients (complex step) at most {worst:.0e}{sample}"


def _epochs(summary: dict[str, Any], unit: str) -> str:
    means = [mean["nats_per_character"] for mean in summary["epoch_means"]]
    if not means:
        return f"0 complete ({100 * summary['epochs']:.3g} % of the text read)"
    bits = [f"{mean / math.log(2):.3f}" for mean in means]
    listed = bits if len(bits) <= SHOWN_EPOCHS else [bits[0], "…", *bits[1 - SHOWN_EPOCHS :]]
    count = summary["epoch_means"][-1]["epoch"]  # a very long run keeps only some of the means
    return f"{count:,} complete; mean training loss {', '.join(listed)} bits/{unit} (last: {means[-1]:.3f} nats)"


def _beginning(text: str) -> Iterator[str]:
    width = max(20, shutil.get_terminal_size().columns - LABEL_WIDTH - 3)
    lines = sanitize(text[:SAMPLE_CHARACTERS]).expandtabs(4).split("\n")
    wrapped = itertools.chain.from_iterable(textwrap.wrap(line, width) or [""] for line in lines)
    for line in itertools.islice(wrapped, SAMPLE_LINES):
        yield f"{' ' * LABEL_WIDTH}{paint('|', 'dim')} {line}".rstrip()


def _line(label: str, words: str) -> str:
    return wrap(words, sys.stderr, label=label.ljust(LABEL_WIDTH), style="bold")


def _whole(label: str, words: str) -> str:
    """Return a line that is never wrapped, because a user may copy its path or command."""
    return paint(label.ljust(LABEL_WIDTH), "bold") + words


def _escaped(path: Path) -> str:
    return sanitize(str(path))

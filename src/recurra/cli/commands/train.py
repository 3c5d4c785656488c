"""`recurra train`: a network learns a text, and its report is written."""

import contextlib
import signal
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from recurra.cli.options import (
    HELD_OUT,
    HOW,
    NETWORK,
    NONE,
    OUTPUT,
    SETTINGS,
    WATCH,
    WHAT,
    flag,
    given,
    path,
    real_or_none,
    require_port,
    setting,
    text,
    whole,
)
from recurra.config import ACTIVATIONS, CELLS, DEVICES, DOCUMENTS, ENGINES, OPTIMIZERS, ORDERS, SCHEDULES
from recurra.config.presets import PRESETS
from recurra.errors import Interrupted, UsageError

EXAMPLES = """\
Examples:
  recurra train mybook.txt              the best model that ten minutes can buy
  recurra train mybook.txt --time-limit 1h
  recurra train mybook.txt --preset seed --updates 300000 --hidden-size 200
  recurra train more.txt --from runs/mybook
  recurra train --resume --run runs/mybook          go on where it stopped
  recurra train --resume --run runs/mybook --updates 400000
  recurra train mybook.txt --live       with a page to watch it learn
  cat *.md | recurra train - --run runs/notes"""

REAL: dict[str, Any] = {"converter": real_or_none, "metavar": "FLOAT"}
HYPHEN: dict[str, Any] = {"allow_leading_hyphen": True}  # a duration below zero has an error of its own
LONG = (
    "best_sample",
    "final_sample",
    "held_out_passage",
    "copied",
    "sample_marks",
)  # what the report has, and --json has not

app = App(name="train", usage="Usage: recurra train [TEXT ...] [OPTIONS]", help_epilogue=EXAMPLES)


@app.default
def train(
    *texts: Annotated[
        str,
        Parameter(
            name="TEXT",
            allow_leading_hyphen=True,
            group=WHAT,
            help="A book's name (see `recurra books`), files, folders, or - for standard input; "
            "several are joined. None: the King James Bible.",
        ),
    ],
    encoding: Annotated[
        str | None,
        Parameter(
            converter=text,
            group=WHAT,
            help="The text's encoding; `bytes` learns bytes of any file.",
            show_default="utf-8",
        ),
    ] = None,
    cell: Annotated[str | None, setting("cell", f"Of the network: {', '.join(CELLS)}.", group=NETWORK)] = None,
    activation: Annotated[
        str | None, setting("activation", f"Of the elman cell: {', '.join(ACTIVATIONS)}.", group=NETWORK)
    ] = None,
    hidden_size: Annotated[int | None, setting("hidden_size", "Units of a layer, m.", group=NETWORK)] = None,
    layers: Annotated[int | None, setting("layers", "Stacked layers.", group=NETWORK)] = None,
    dropout: Annotated[
        float | None, setting("dropout", "The share of units dropped between layers while training.", group=NETWORK)
    ] = None,
    initial_scale: Annotated[
        float | str | None,
        setting(
            "initial_scale", f"Deviation of the initial weights; `{NONE}`: the cell's own start.", group=NETWORK, **REAL
        ),
    ] = None,
    preset: Annotated[
        str | None,
        setting("preset", f"Where settings come from: {', '.join(PRESETS)}.", group=HOW, show_default="auto"),
    ] = None,
    time_limit: Annotated[
        str | None,
        setting("time_limit", "Train for so long: 90s, 10m, 2h; in place of --updates.", group=HOW, **HYPHEN),
    ] = None,
    max_epochs: Annotated[
        float | None, setting("max_epochs", "With a time limit, no more epochs than these; 0: any.", group=HOW)
    ] = None,
    updates: Annotated[int | None, setting("updates", "Gradient steps; 0 writes the initial model.", group=HOW)] = None,
    seed: Annotated[
        int | None, setting("seed", "Of all that is random; the same seed, the same bits.", group=HOW)
    ] = None,
    sequence_length: Annotated[
        int | None, setting("sequence_length", "Characters that an update reads of each stream, T.", group=HOW)
    ] = None,
    batch_size: Annotated[int | None, setting("batch_size", "Streams read side by side, B.", group=HOW)] = None,
    order: Annotated[str | None, setting("order", f"How the text is read: {', '.join(ORDERS)}.", group=HOW)] = None,
    documents: Annotated[
        str | None, setting("documents", f"What is read by itself: {', '.join(DOCUMENTS)}.", group=HOW)
    ] = None,
    optimizer: Annotated[
        str | None, setting("optimizer", f"What makes steps of gradients: {', '.join(OPTIMIZERS)}.", group=HOW)
    ] = None,
    learning_rate: Annotated[float | None, setting("learning_rate", "The highest of the schedule.", group=HOW)] = None,
    schedule: Annotated[
        str | None, setting("schedule", f"How the rate goes on: {', '.join(SCHEDULES)}.", group=HOW)
    ] = None,
    schedule_updates: Annotated[
        int | None, setting("schedule_updates", "Updates over which the schedule falls; 0: all.", group=HOW)
    ] = None,
    warm_up: Annotated[int | None, setting("warm_up", "Updates until the highest rate.", group=HOW)] = None,
    final_rate: Annotated[
        float | None, setting("final_rate", "The share of the rate at which a falling schedule ends.", group=HOW)
    ] = None,
    clip_value: Annotated[
        float | str | None, setting("clip_value", f"Limit of each gradient, or `{NONE}`.", group=HOW, **REAL)
    ] = None,
    clip_norm: Annotated[
        float | str | None,
        setting("clip_norm", f"Limit of the norm of all gradients, or `{NONE}`.", group=HOW, **REAL),
    ] = None,
    ema: Annotated[
        float | None,
        setting("ema", "Keep a moving average of the parameters, with this decay: it is the model.", group=HOW),
    ] = None,
    engine: Annotated[str | None, setting("engine", f"What computes: {', '.join(ENGINES)}.", group=HOW)] = None,
    device: Annotated[
        str | None, setting("device", f"Where engine torch computes: {', '.join(DEVICES)}.", group=HOW)
    ] = None,
    threads: Annotated[int | None, setting("threads", "How many; 0: one for each CPU.", group=HOW)] = None,
    shards: Annotated[
        int | None, setting("shards", "Parts that a batch is computed in; 0: by its size.", group=HOW)
    ] = None,
    validation: Annotated[
        float | None,
        setting("validation", "The share of the text, its tail, by which the best model is chosen.", group=HELD_OUT),
    ] = None,
    test: Annotated[
        float | None, setting("test", "The share after it by which the best model is judged.", group=HELD_OUT)
    ] = None,
    evaluate_every: Annotated[
        int | None,
        setting("evaluate_every", "Updates between evaluations; 0: each epoch.", group=HELD_OUT),
    ] = None,
    patience: Annotated[
        int | None, setting("patience", "Evaluations without a better one that end it; 0: none.", group=HELD_OUT)
    ] = None,
    plateau: Annotated[
        int | None, setting("plateau", "Evaluations without a better one that halve the rate.", group=HELD_OUT)
    ] = None,
    start: Annotated[
        str | None,
        Parameter(
            name="--from",
            converter=text,
            group=WHAT,
            help="A run's folder or a checkpoint: its model learns on, and keeps its network and its characters.",
        ),
    ] = None,
    extend_vocabulary: Annotated[
        bool, flag("With --from or --resume: add the text's new characters to the model's.", WHAT)
    ] = False,
    run: Annotated[
        Path | None,
        Parameter(converter=path, group=WATCH, help="The run's folder.", show_default="runs/TEXT"),
    ] = None,
    resume: Annotated[
        bool,
        flag("Go on with the run in the folder: its text is read again, and settings given change its own.", WATCH),
    ] = False,
    force: Annotated[bool, flag("Replace the run that is in the folder.", WATCH)] = False,
    log_every: Annotated[int | None, setting("log_every", "Updates between records.", group=WATCH)] = None,
    sample_every: Annotated[
        int | None, setting("sample_every", "Updates between samples; 0: none.", group=WATCH)
    ] = None,
    sample_length: Annotated[
        int | None, setting("sample_length", "Characters of a sample, at most 524,288.", group=WATCH)
    ] = None,
    checkpoint_every: Annotated[
        str | None,
        setting("checkpoint_every", "Time between checkpoints: 30s, 10m, 2h.", group=WATCH, converter=text, **HYPHEN),
    ] = None,
    keep: Annotated[int | None, setting("keep", "How many checkpoints to keep, besides the best.", group=WATCH)] = None,
    no_proof: Annotated[bool, flag("Leave out the check of the gradients.", WATCH)] = False,
    live: Annotated[bool, flag("Serve a page that shows the training as it goes on, on this machine.", WATCH)] = False,
    port: Annotated[
        int | None,
        Parameter(
            converter=whole,
            group=WATCH,
            help="With --live: the page's port; 0: any free one.",
            show_default="8000, or any free one if that is taken",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        Parameter(
            group=WATCH,
            show_default=False,
            help="With --live: a name that a proxy has for this machine (may be repeated).",
        ),
    ] = None,
    json: Annotated[bool, flag("One JSON object on stdout at the end.", OUTPUT)] = False,
    quiet: Annotated[bool, flag("Say nothing but errors.", OUTPUT)] = False,
) -> int:
    """Train a network on a text, and write its report.

    It reads the text a character at a time and learns to predict the next.
    The run's folder gets settings, metrics, samples, checkpoints and the
    report, report.html. Ctrl-C saves and stops; --resume goes on, and comes
    to the same result as a run that never stopped.
    """
    arguments = locals()
    settings = given(**{name: arguments[name] for name in SETTINGS})
    named = {
        "start": start, "extend_vocabulary": extend_vocabulary, "run": run, "force": force, "resume": resume,
        "encoding": encoding,
        "proof": not no_proof,
    }  # fmt: skip
    page = _live_page(port, allow_host or [], is_wanted=live)
    return _train(list(texts), json=json, quiet=quiet, page=page, **named, **settings)


def _live_page(port: int | None, names: list[str], *, is_wanted: bool) -> Any:
    """The page of `--live`, None if there is to be none; what its server cannot have is an error before all work."""
    if not is_wanted:
        if port is not None or names:
            raise UsageError(f"`{'--allow-host' if port is None else '--port'}` is for a live page.", hint="add --live")
        return None
    require_port(port)
    from recurra.system import optional_dependencies
    from recurra.web import live_page

    optional_dependencies.require("serve", "`recurra train --live`")
    live_page.require_servable(port, names)
    return live_page.Page(port, names)


def _train(texts: list[str], *, json: bool, quiet: bool, page: Any, **named: Any) -> int:
    from recurra import api
    from recurra.cli import train_output
    from recurra.cli.terminal import await_input, notices, say, write_json
    from recurra.cli.train_command import slower
    from recurra.cli.train_progress import watcher
    from recurra.report.document import write_report
    from recurra.runs.layout import REPORT
    from recurra.system.system_info import is_silent

    if "-" in texts and not quiet:
        await_input("the text")
    watch = watcher(quiet=quiet)

    def announce(text: Any, vocabulary: Any, trainer: Any, folder: Path) -> None:
        watch.begin(trainer)
        if not quiet:
            say(*train_output.before(text, vocabulary, trainer, folder, is_default=not (texts or trainer.is_resumed)))
        if page is not None:
            say(*train_output.page(page.open(folder)))

    try:
        with page or contextlib.nullcontext(), notices(quiet=quiet or is_silent()):  # the page stays for the report
            with watch:
                result = api.train(texts, report=False, listeners=[watch], announce=announce, **named)
            if not quiet:
                say(*train_output.after(result, watch))
                if (rate := result.summary["rate_to_try"]) is not None:
                    command = slower(texts, named, rate, result.folder)
                    say(*train_output.divergence(result.summary, watch.seen.unit, command))
            report = write_report([result.folder], result.folder / REPORT)
    except KeyboardInterrupt:
        raise _interrupted(watch.saved) from None
    if not quiet:
        say(*train_output.next_steps(result, report))
    if json:
        write_json(
            {name: value for name, value in result.summary.items() if name not in LONG} | {"report": str(report)}
        )
    return 0


def _interrupted(saved: Any) -> Interrupted:
    """What to say to a Ctrl-C that no training was there to catch."""
    where = (
        "before the first checkpoint: nothing new is saved"
        if saved is None
        else f"the model is saved in `{saved.path}`"
    )
    return Interrupted(f"stopped by SIGINT; {where}.", signal=signal.SIGINT)

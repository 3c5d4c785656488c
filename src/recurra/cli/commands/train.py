"""`recurra train`: train a network on a text and write the report."""

import contextlib
import signal
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from recurra.cli.options import (
    OUTPUT,
    SETTING_GROUPS,
    TEXT_GROUP,
    examples,
    flag,
    path,
    require_port,
    text,
    whole,
    with_settings,
)
from recurra.config.declaration import RECORDS
from recurra.errors import Interrupted, UsageError

EXAMPLES = examples(
    "recurra train mybook.txt              train for ten minutes",
    "recurra train mybook.txt --time-limit 1h",
    "recurra train mybook.txt --preset classic --updates 300000 --hidden-size 200",
    "recurra train more.txt --from runs/mybook",
    "recurra train --resume --run runs/mybook",
    "recurra train --resume --run runs/mybook --updates 400000",
    "recurra train mybook.txt --live       watch the training in a browser",
    "cat *.md | recurra train - --run runs/notes",
)

RUN_GROUP = SETTING_GROUPS[RECORDS]
LONG_SUMMARY_FIELDS = (
    "best_sample",
    "final_sample",
    "held_out_passage",
    "copied",
    "sample_marks",
)  # fields that --json leaves out; the report has them

app = App(name="train", usage="Usage: recurra train [TEXT ...] [OPTIONS]", help_epilogue=EXAMPLES)


@app.default
@with_settings(before="no_proof", defaults={"preset": "auto"})
def train(
    *texts: Annotated[
        str,
        Parameter(
            name="TEXT",
            allow_leading_hyphen=True,
            group=TEXT_GROUP,
            help="Book names (see `recurra books`), files, folders, or - for standard input, joined in this order. "
            "Default: the King James Bible.",
        ),
    ],
    encoding: Annotated[
        str | None,
        Parameter(
            converter=text,
            group=TEXT_GROUP,
            help="Encoding of the text; `bytes` trains on the bytes of any file.",
            show_default="utf-8",
        ),
    ] = None,
    start: Annotated[
        str | None,
        Parameter(
            name="--from",
            converter=text,
            group=TEXT_GROUP,
            help="Start from the model of a run directory or a checkpoint file; keep its network and vocabulary.",
        ),
    ] = None,
    extend_vocabulary: Annotated[
        bool, flag("With --from or --resume: add new characters of the text to the vocabulary.", TEXT_GROUP)
    ] = False,
    run: Annotated[
        Path | None,
        Parameter(converter=path, group=RUN_GROUP, help="Run directory.", show_default="runs/TEXT"),
    ] = None,
    resume: Annotated[
        bool,
        flag("Resume the run in --run and read its text again; options change its settings.", RUN_GROUP),
    ] = False,
    force: Annotated[bool, flag("Replace an existing run in the run directory.", RUN_GROUP)] = False,
    no_proof: Annotated[bool, flag("Skip the gradient check.", RUN_GROUP)] = False,
    live: Annotated[
        bool, flag("Serve a web page on this machine that shows the training (needs the extra `serve`).", RUN_GROUP)
    ] = False,
    port: Annotated[
        int | None,
        Parameter(
            converter=whole,
            group=RUN_GROUP,
            help="With --live: port of the page; 0: any free port.",
            show_default="8000, or a free port if 8000 is taken",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        Parameter(
            group=RUN_GROUP,
            show_default=False,
            help="With --live: host name of this machine behind a proxy (may be repeated).",
        ),
    ] = None,
    json: Annotated[bool, flag("Write the summary as one JSON object to stdout.", OUTPUT)] = False,
    quiet: Annotated[bool, flag("Print errors only.", OUTPUT)] = False,
    **settings: Any,
) -> int:
    """Train a network on a text and write the report.

    The network reads the text character by character and learns to predict
    the next character. The run directory gets the settings, metrics, samples,
    checkpoints and report.html. Ctrl-C saves a checkpoint and stops. --resume
    continues; the result is the same as without the interruption.
    """
    named = {
        "start": start, "extend_vocabulary": extend_vocabulary, "run": run, "force": force, "resume": resume,
        "encoding": encoding,
        "proof": not no_proof,
    }  # fmt: skip
    page = _live_page(port, allow_host or [], is_wanted=live)
    return _train(list(texts), json=json, quiet=quiet, page=page, **named, **settings)


def _live_page(port: int | None, names: list[str], *, is_wanted: bool) -> Any:
    """Return the live page, None without `--live`; check its options before any work begins."""
    if not is_wanted:
        if port is not None or names:
            raise UsageError(
                f"`{'--allow-host' if port is None else '--port'}` requires `--live`.", hint="add `--live`."
            )
        return None
    require_port(port)
    from recurra.system import optional_dependencies
    from recurra.web import live_page

    optional_dependencies.require("serve", "`recurra train --live`")
    live_page.require_servable(port, names)
    return live_page.Page(port, names)


def _train(texts: list[str], *, json: bool, quiet: bool, page: Any, **named: Any) -> int:
    from recurra.api import model_training
    from recurra.cli import train_output
    from recurra.cli.terminal import await_input, notices, print_stderr, write_json
    from recurra.cli.train_progress import create_progress
    from recurra.report.document import write_report
    from recurra.runs.layout import REPORT
    from recurra.system.system_info import is_silent

    if "-" in texts and not quiet:
        await_input("the text")
    watch = create_progress(quiet=quiet)

    def announce(text: Any, vocabulary: Any, trainer: Any, folder: Path) -> None:
        watch.begin(trainer)
        if not quiet:
            print_stderr(
                *train_output.start_lines(
                    text, vocabulary, trainer, folder, is_default=not (texts or trainer.is_resumed)
                )
            )
        if page is not None:
            print_stderr(*train_output.page(page.open(folder)))

    try:
        with (
            page or contextlib.nullcontext(),
            notices(quiet=quiet or is_silent()),
        ):  # keep the page open until the report is written
            with watch:
                result = model_training.train(texts, report=False, listeners=[watch], announce=announce, **named)
            if not quiet:
                print_stderr(*train_output.end_lines(result, watch))
                if (rate := result.summary["rate_to_try"]) is not None:
                    command = train_output.slower_hint(texts, named, rate, result.folder)
                    print_stderr(*train_output.divergence(result.summary, watch.seen.unit, command))
            report = write_report([result.folder], result.folder / REPORT)
    except KeyboardInterrupt:
        raise _interrupted(watch.saved) from None
    if not quiet:
        print_stderr(*train_output.next_steps(result, report))
    if json:
        write_json(
            {name: value for name, value in result.summary.items() if name not in LONG_SUMMARY_FIELDS}
            | {"report": str(report)}
        )
    return 0


def _interrupted(saved: Any) -> Interrupted:
    """Return the error for a Ctrl-C before or after the training loop."""
    state = (
        "there is no checkpoint yet, so nothing is saved" if saved is None else f"the model is saved in `{saved.path}`"
    )
    return Interrupted(f"stopped by SIGINT; {state}.", signal=signal.SIGINT)

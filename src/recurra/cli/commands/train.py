"""`recurra train`: a network learns a text, and its report is written."""

import contextlib
import signal
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from recurra.cli.options import OUTPUT, SETTING_GROUPS, WHAT, flag, path, require_port, text, whole, with_settings
from recurra.config.declaration import RECORDS
from recurra.errors import Interrupted, UsageError

EXAMPLES = """\
Examples:
  recurra train mybook.txt              the best model that ten minutes can buy
  recurra train mybook.txt --time-limit 1h
  recurra train mybook.txt --preset classic --updates 300000 --hidden-size 200
  recurra train more.txt --from runs/mybook
  recurra train --resume --run runs/mybook          go on where it stopped
  recurra train --resume --run runs/mybook --updates 400000
  recurra train mybook.txt --live       with a page to watch it learn
  cat *.md | recurra train - --run runs/notes"""

RUN_GROUP = SETTING_GROUPS[RECORDS]
LONG_SUMMARY_FIELDS = (
    "best_sample",
    "final_sample",
    "held_out_passage",
    "copied",
    "sample_marks",
)  # what the report has, and --json has not

app = App(name="train", usage="Usage: recurra train [TEXT ...] [OPTIONS]", help_epilogue=EXAMPLES)


@app.default
@with_settings(before="no_proof", defaults={"preset": "auto"})
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
        Parameter(converter=path, group=RUN_GROUP, help="The run's folder.", show_default="runs/TEXT"),
    ] = None,
    resume: Annotated[
        bool,
        flag("Go on with the run in the folder: its text is read again, and settings given change its own.", RUN_GROUP),
    ] = False,
    force: Annotated[bool, flag("Replace the run that is in the folder.", RUN_GROUP)] = False,
    no_proof: Annotated[bool, flag("Leave out the check of the gradients.", RUN_GROUP)] = False,
    live: Annotated[
        bool, flag("Serve a page that shows the training as it goes on, on this machine.", RUN_GROUP)
    ] = False,
    port: Annotated[
        int | None,
        Parameter(
            converter=whole,
            group=RUN_GROUP,
            help="With --live: the page's port; 0: any free one.",
            show_default="8000, or any free one if that is taken",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        Parameter(
            group=RUN_GROUP,
            show_default=False,
            help="With --live: a name that a proxy has for this machine (may be repeated).",
        ),
    ] = None,
    json: Annotated[bool, flag("One JSON object on stdout at the end.", OUTPUT)] = False,
    quiet: Annotated[bool, flag("Say nothing but errors.", OUTPUT)] = False,
    **settings: Any,
) -> int:
    """Train a network on a text, and write its report.

    It reads the text a character at a time and learns to predict the next.
    The run's folder gets settings, metrics, samples, checkpoints and the
    report, report.html. Ctrl-C saves and stops; --resume goes on, and comes
    to the same result as a run that never stopped.
    """
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
        with page or contextlib.nullcontext(), notices(quiet=quiet or is_silent()):  # the page stays for the report
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
    """What to say to a Ctrl-C that no training was there to catch."""
    where = (
        "before the first checkpoint: nothing new is saved"
        if saved is None
        else f"the model is saved in `{saved.path}`"
    )
    return Interrupted(f"stopped by SIGINT; {where}.", signal=signal.SIGINT)

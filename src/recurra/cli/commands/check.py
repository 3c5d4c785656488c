"""`recurra check`: the proof that the hand-written gradients are right."""

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Group, Parameter

from recurra.cli.options import OUTPUT, flag, given, path, text, with_settings
from recurra.config.arguments import refuse_besides

EXAMPLES = """\
Examples:
  recurra check                         a new network on the King James Bible
  recurra check --text mybook.txt --hidden-size 50
  recurra check --cell lstm --layers 2 --hidden-size 30
  recurra check runs/mybook             a trained network
  recurra check --every                 every kind of network, small
  recurra check --write mine.npz --hidden-size 5
  recurra check --against mine.npz      gradients that your own code added"""
CHECKING = "checking the gradients: up to a minute"
COMPLETE = "checking every element of every gradient: hours where there are many"
CHECK_COLUMNS = ["", "largest difference", "limit", "relative", "complex step", "verdict", "checked"]

OTHER = Group("Gradients of your own code", sort_key=1)
AGAINST_HEADER = ["", "largest difference", "relative", "limit", "verdict"]

app = App(name="check", usage="Usage: recurra check [MODEL] [OPTIONS]", help_epilogue=EXAMPLES)


@app.default
@with_settings(
    before="every",
    names=(
        "preset",
        "cell",
        "activation",
        "hidden_size",
        "layers",
        "mogrifier_rounds",
        "mogrifier_rank",
        "sequence_length",
        "seed",
    ),
    grouped=False,
)
def check(
    model: Annotated[
        str | None,
        Parameter(name="MODEL", converter=text, help="A run's folder or a checkpoint file; else a new network."),
    ] = None,
    /,
    *,
    texts: Annotated[
        list[str] | None,
        Parameter(
            name="--text",
            allow_leading_hyphen=True,
            help="The text to check on (may be repeated); - is standard input.",
        ),
    ] = None,
    encoding: Annotated[
        str | None, Parameter(converter=text, help="The text's encoding, or `bytes`.", show_default="utf-8")
    ] = None,
    every: Annotated[bool, flag("Check every cell, depth, dropout and batch, on small networks.")] = False,
    complete: Annotated[bool, flag("Check every element, however long that takes.")] = False,
    write: Annotated[
        Path | None,
        Parameter(
            converter=path,
            group=OTHER,
            help="Write a network and a sequence to this .npz or .mat file, without gradients, and check nothing.",
        ),
    ] = None,
    force: Annotated[bool, flag("With --write: replace a file that is there.", OTHER)] = False,
    against: Annotated[
        Path | None,
        Parameter(
            converter=path,
            group=OTHER,
            help="Compare the gradients in this .npz or .mat file with ours, element by element.",
        ),
    ] = None,
    json: Annotated[bool, flag("One JSON object on stdout, in place of the table.", OUTPUT)] = False,
    **settings: Any,
) -> int:
    """Prove the gradients, element by element.

    Of a large network, or a long sequence, a random sample of the elements of
    each parameter is checked, and the table says how many; --complete checks
    all of them. Without MODEL a new network is checked, at its initial weights and after
    1,000 updates on a text; with --every every kind of network. A parameter is right when the complex step
    confirms it to 1e-12 and, at the initial weights, central differences
    (step 1e-4) are within the figure that the report this project reproduces
    prints (KTH DD2424, assignment 4). The exit code is 1 where one is wrong.

    --against compares the gradients of your own code, and names the mistake in
    a wrong one if it is recognized.
    """
    from recurra.api import gradient_checking
    from recurra.cli.terminal import await_input, escape_for_stdout, print_stderr, progress, write_json, write_text

    if against is not None:
        network = {"text": texts, "encoding": encoding, "every": every, "complete": complete, **given(**settings)}
        message = "`--against` has its own network and sequence; got {} besides."
        refuse_besides(message, MODEL=model, write=write, force=force, **network)
        compared = gradient_checking.compare_gradients(against)
        if json:
            write_json(compared)
        else:
            write_text("\n".join(compared_lines(compared)) + "\n")
        return 0 if compared["passed"] else 1
    if write is None:
        refuse_besides("`--force` is for `--write`, which is not given.", "leave it out.", force=force)
    if "-" in (texts or ()):
        await_input("the text")
    if write is not None:
        refuse_besides("`--write` checks nothing; got {} besides.", MODEL=model, every=every, complete=complete)
        written = gradient_checking.write_gradient_problem(
            write, texts or (), encoding=encoding, force=force, **given(**settings)
        )
        if json:
            write_json({"written": str(written)})
        else:
            write_text(f"{escape_for_stdout(str(written))}\n")
        return 0
    with progress("elements") as show:
        found = gradient_checking.check(
            model,
            sources=texts or (),
            encoding=encoding,
            every=every,
            complete=complete,
            announce=lambda: print_stderr(COMPLETE if complete else CHECKING),
            progress=show,
            **settings,
        )
    if json:
        write_json(found)
    else:
        write_text("\n".join(lines(found)) + "\n")
    return 0 if found["passed"] else 1


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The table of the report, with a verdict in words for each parameter and for all."""
    from recurra.cli.terminal import columns
    from recurra.formatting import describe_share, duration

    sampled = found.get("checked", 0) < found.get("elements", 0)
    for cell, figures in found["cells"].items():
        rows = [_row(letter, figure) for letter, figure in figures.items()]
        yield f"gradients of {cell}, {_extent(found)}, beside numerical ones:"
        table = [CHECK_COLUMNS, *rows]
        if not sampled:  # all of each: it needs no column
            table = [row[:-1] for row in table]
        yield from columns(table, indent="  ")
    yield f"{_conclusion(found['passed'], 'every gradient is right')}; checked in {duration(found['seconds'])}"
    if sampled:
        share = describe_share(found["checked"], found["elements"])
        yield f"a random sample was checked: {share}; `--complete` checks all of them"


def compared_lines(found: dict[str, Any]) -> Iterator[str]:
    """Yield the table of a comparison, with a sentence for each wrong gradient whose mistake is recognized."""
    from recurra.cli.terminal import columns, escape_for_stdout

    sizes = f"m = {found['hidden_size']:,}, K = {found['symbols']:,}, T = {found['sequence_length']:,}"
    yield f"gradients in {escape_for_stdout(found['file'])} beside ours: {sizes}"
    rows = [
        [letter, _small(one["max_abs"]), _small(one["max_rel"]), _small(one["limit"]), _verdict(one["passed"])]
        for letter, one in found["gradients"].items()
    ]
    yield from columns([AGAINST_HEADER, *rows], indent="  ")
    for letter, one in found["gradients"].items():
        if not one["passed"]:
            yield f"{letter}: {one['likely_mistake'] or 'the mistake is not one of those that are recognized.'}"
    if found["their_loss"] is not None:
        yield f"loss: {found['their_loss']:.6f} in the file, {found['loss']:.6f} nats by our code"
    if found["absent"]:
        yield f"not in the file: the gradients of {', '.join(found['absent'])}"
    yield _conclusion(found["passed"], "every gradient in the file is right")


def _conclusion(passed: bool, good: str) -> str:
    from recurra.cli.terminal import paint

    words, style = (good, "green") if passed else ("a gradient is WRONG", "red")
    return paint(words, style, sys.stdout)


def _verdict(passed: bool) -> str:
    return "right" if passed else "WRONG"


def _extent(found: dict[str, Any]) -> str:
    if "parameters" in found:
        return f"{found['parameters']:,} parameters"
    return "1 to 3 layers, with and without dropout, 1 and 3 streams"


def _row(letter: str, figure: dict[str, Any]) -> list[str]:
    tolerance = figure["seed_tolerance"]
    return [
        letter,
        _small(figure["max_abs_central"]),
        "-" if tolerance is None else _small(tolerance),
        _small(figure["max_rel_central"]),
        _small(figure["max_rel_complex"]),
        _verdict(figure["passed"]),
        f"{figure.get('checked', 0):,} of {figure.get('elements', 0):,}",
    ]


def _small(value: float) -> str:
    return f"{value:.1e}" if math.isfinite(value) else str(value)

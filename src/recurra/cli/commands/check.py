"""`recurra check`: the proof that the hand-written gradients are right."""

import math
import sys
from collections.abc import Iterator
from typing import Annotated, Any

from cyclopts import App, Parameter

from recurra.cli.options import OUTPUT, flag, text, with_settings

EXAMPLES = """\
Examples:
  recurra check                         a new network on the King James Bible
  recurra check --text mybook.txt --hidden-size 50
  recurra check --cell lstm --layers 2 --hidden-size 30
  recurra check runs/mybook             a trained network
  recurra check --every                 every kind of network, small"""
CHECKING = "checking the gradients: up to a minute"
COMPLETE = "checking every element of every gradient: hours where there are many"
CHECK_COLUMNS = ["", "largest difference", "limit", "relative", "complex step", "verdict", "checked"]

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
    """
    from recurra.api import gradient_checking
    from recurra.cli.terminal import await_input, print_stderr, progress, write_json, write_text

    if "-" in (texts or ()):
        await_input("the text")
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
    from recurra.cli.terminal import columns, paint
    from recurra.formatting import describe_share, duration

    sampled = found.get("checked", 0) < found.get("elements", 0)
    for cell, figures in found["cells"].items():
        rows = [_row(letter, figure) for letter, figure in figures.items()]
        yield f"gradients of {cell}, {_extent(found)}, beside numerical ones:"
        table = [CHECK_COLUMNS, *rows]
        if not sampled:  # all of each: it needs no column
            table = [row[:-1] for row in table]
        yield from columns(table, indent="  ")
    verdict, style = ("every gradient is right", "green") if found["passed"] else ("a gradient is WRONG", "red")
    yield f"{paint(verdict, style, sys.stdout)}; checked in {duration(found['seconds'])}"
    if sampled:
        share = describe_share(found["checked"], found["elements"])
        yield f"a random sample was checked: {share}; `--complete` checks all of them"


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
        "right" if figure["passed"] else "WRONG",
        f"{figure.get('checked', 0):,} of {figure.get('elements', 0):,}",
    ]


def _small(value: float) -> str:
    return f"{value:.1e}" if math.isfinite(value) else str(value)

"""`recurra check`: compare the hand-derived gradients with numerical gradients."""

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Group, Parameter

from recurra.cli.options import OUTPUT, examples, flag, path, text, with_settings, without_none
from recurra.config.arguments import refuse_besides

EXAMPLES = examples(
    "recurra check                         check a new network",
    "recurra check --text mybook.txt --hidden-size 50",
    "recurra check --cell lstm --layers 2 --hidden-size 30",
    "recurra check runs/mybook             check a trained network",
    "recurra check --every                 check every kind of network",
    "recurra check --write mine.npz        write a network for your own code",
    "recurra check --against mine.npz      check the gradients of your own code",
)
CHECKING = "checking the gradients; this takes up to a minute"
COMPLETE = "checking every element of every gradient; this takes hours for a large network"
CHECK_COLUMNS = ["", "largest difference", "limit", "relative", "complex step", "verdict", "elements checked"]

OWN_GRADIENTS = Group("Gradients of your own code", sort_key=1)
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
        Parameter(name="MODEL", converter=text, help="A run directory or a checkpoint file. Default: a new network."),
    ] = None,
    /,
    *,
    texts: Annotated[
        list[str] | None,
        Parameter(
            name="--text",
            allow_leading_hyphen=True,
            help="Text for a new network (may be repeated); - is standard input. Default: the King James Bible.",
        ),
    ] = None,
    encoding: Annotated[
        str | None, Parameter(converter=text, help="Encoding of the text, or `bytes`.", show_default="utf-8")
    ] = None,
    every: Annotated[bool, flag("Check small networks with every cell, depth, dropout and batch size.")] = False,
    complete: Annotated[bool, flag("Check every element, even if that takes hours.")] = False,
    write: Annotated[
        Path | None,
        Parameter(
            converter=path,
            group=OWN_GRADIENTS,
            help="Write a network and a sequence to this .npz or .mat file for your own code.",
        ),
    ] = None,
    force: Annotated[bool, flag("With --write: replace an existing file.", OWN_GRADIENTS)] = False,
    against: Annotated[
        Path | None,
        Parameter(
            converter=path,
            group=OWN_GRADIENTS,
            help="Compare the gradients in this .npz or .mat file with the gradients of recurra.",
        ),
    ] = None,
    json: Annotated[bool, flag("Write one JSON object to stdout instead of the table.", OUTPUT)] = False,
    **settings: Any,
) -> int:
    """Compare every hand-derived gradient with numerical gradients.

    Without MODEL, the command checks a new network at its initial weights
    and after 1,000 updates. If the network is large, it checks a random
    sample of the elements of each parameter; --complete checks all of them.

    A gradient is right if it agrees with the complex step to a relative
    difference of 1e-12. At the initial weights of the Elman network, its
    difference to central differences (step 1e-4) must also be within a
    limit. The limits are the errors in a report on KTH DD2424, assignment
    4, which this project reproduces. The exit code is 1 if a gradient is
    wrong.

    --against compares gradients that your own code computed. If a common
    mistake explains a wrong gradient, the command names the mistake.
    """
    from recurra.api import gradient_checking
    from recurra.cli.terminal import await_input, escape_for_stdout, print_stderr, progress, write_json, write_text

    if against is not None:
        network = {
            "text": texts,
            "encoding": encoding,
            "every": every,
            "complete": complete,
            **without_none(**settings),
        }
        message = "`--against` cannot be combined with {}; the file has its own network and sequence."
        refuse_besides(message, MODEL=model, write=write, force=force, **network)
        compared = gradient_checking.compare_gradients(against)
        if json:
            write_json(compared)
        else:
            write_text("\n".join(compared_lines(compared)) + "\n")
        return 0 if compared["passed"] else 1
    if write is None:
        refuse_besides("{} needs `--write`.", "add `--write FILE`, or remove `--force`.", force=force)
    if "-" in (texts or ()):
        await_input("the text")
    if write is not None:
        refuse_besides(
            "`--write` cannot be combined with {}; it only writes a file.", MODEL=model, every=every, complete=complete
        )
        written = gradient_checking.write_gradient_problem(
            write, texts or (), encoding=encoding, force=force, **without_none(**settings)
        )
        if json:
            write_json({"written": str(written)})
        else:
            write_text(f"{escape_for_stdout(str(written))}\n")
        return 0
    with progress("elements checked") as show:
        result = gradient_checking.check(
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
        write_json(result)
    else:
        write_text("\n".join(lines(result)) + "\n")
    return 0 if result["passed"] else 1


def lines(result: dict[str, Any]) -> Iterator[str]:
    """Yield the table of differences, with a verdict for each parameter and for all."""
    from recurra.cli.terminal import columns
    from recurra.formatting import describe_share, duration

    is_sampled = result.get("checked", 0) < result.get("elements", 0)
    for cell, figures in result["cells"].items():
        rows = [_row(letter, figure) for letter, figure in figures.items()]
        yield f"gradients of {cell}, {_extent(result)}, compared with numerical gradients:"
        table = [CHECK_COLUMNS, *rows]
        if not is_sampled:  # every element was checked
            table = [row[:-1] for row in table]
        yield from columns(table, indent="  ")
    yield f"{_conclusion(result['passed'], 'every gradient is right')}; checked in {duration(result['seconds'])}"
    if is_sampled:
        share = describe_share(result["checked"], result["elements"])
        yield f"checked a random sample: {share}; `--complete` checks all elements"


def compared_lines(result: dict[str, Any]) -> Iterator[str]:
    """Yield the table of a comparison, with a sentence for each wrong gradient whose mistake is recognized."""
    from recurra.cli.terminal import columns, escape_for_stdout

    sizes = f"m = {result['hidden_size']:,}, K = {result['symbols']:,}, T = {result['sequence_length']:,}"
    yield f"gradients in {escape_for_stdout(result['file'])} compared with recurra's: {sizes}"
    rows = [
        [letter, _small(one["max_abs"]), _small(one["max_rel"]), _small(one["limit"]), _verdict(one["passed"])]
        for letter, one in result["gradients"].items()
    ]
    yield from columns([AGAINST_HEADER, *rows], indent="  ")
    for letter, one in result["gradients"].items():
        if not one["passed"]:
            yield f"{letter}: {one['likely_mistake'] or 'the mistake is not a usual one.'}"
    if result["their_loss"] is not None:
        yield f"loss: {result['their_loss']:.6f} in the file, {result['loss']:.6f} nats by recurra"
    if result["absent"]:
        yield f"not in the file: the gradients of {', '.join(result['absent'])}"
    yield _conclusion(result["passed"], "every gradient in the file is right")


def _conclusion(passed: bool, good: str) -> str:
    from recurra.cli.terminal import paint

    words, style = (good, "green") if passed else ("a gradient is WRONG", "red")
    return paint(words, style, sys.stdout)


def _verdict(passed: bool) -> str:
    return "right" if passed else "WRONG"


def _extent(result: dict[str, Any]) -> str:
    if "parameters" in result:
        return f"{result['parameters']:,} parameters"
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

"""`recurra score`: how well models predict a text."""

import sys
from typing import Annotated

from cyclopts import App, Parameter

from recurra.cli.options import MODEL, OUTPUT, flag, given, real, text
from recurra.config.arguments import refuse_besides
from recurra.errors import UsageError

EXAMPLES = """\
Examples:
  recurra score runs/kjv                the part that the run held out
  recurra score runs/kjv psalms.txt --baselines
  recurra score runs/kjv mybook.txt --dynamic --also runs/mybook
  recurra score runs/kjv psalm23.txt --per-character
  recurra score runs/kjv verses.txt --also runs/koran --documents lines"""

app = App(name="score", usage="Usage: recurra score MODEL [TEXT ...] [OPTIONS]", help_epilogue=EXAMPLES)


@app.default
def score(
    model: Annotated[str, MODEL],
    /,
    *texts: Annotated[
        str,
        Parameter(
            name="TEXT",
            allow_leading_hyphen=True,
            help="A book's name, files, folders, or - for standard input; several are joined. "
            "None: what the run held out.",
        ),
    ],
    also: Annotated[
        list[str] | None, Parameter(help="Another model to score the text with (may be repeated).", show_default=False)
    ] = None,
    encoding: Annotated[
        str | None,
        Parameter(
            converter=text, help="The text's encoding, or `bytes`.", show_default="utf-8; of a model of bytes: bytes"
        ),
    ] = None,
    dynamic: Annotated[bool, flag("Also let a copy of the model go on learning while it reads.")] = False,
    dynamic_method: Annotated[
        str | None,
        Parameter(
            converter=text,
            help="How: sgd, or rms, which wants the text that the model has learned.",
            show_default="rms where that text is there, else sgd",
        ),
    ] = None,
    dynamic_rate: Annotated[
        float | None, Parameter(converter=real, help="How fast: its learning rate.", show_default="by method")
    ] = None,
    per_character: Annotated[
        bool, flag("Every character with its nats: shaded on a terminal, else a line of JSON each.", OUTPUT)
    ] = False,
    documents: Annotated[
        str | None,
        Parameter(
            converter=text,
            group=OUTPUT,
            help="lines: score each line by itself, and show the odd ones. none: score the text as one.",
            show_default="as the model was trained",
        ),
    ] = None,
    baselines: Annotated[bool, flag("Also what needs no network: n-grams and compressors.", OUTPUT)] = False,
    json: Annotated[bool, flag("One JSON object on stdout, in place of the table.", OUTPUT)] = False,
) -> int:
    """Score a text: how many bits a model needs for each of its characters.

    Every character counts, the state is carried throughout, and the first one
    costs ln K. Characters that the model does not know cost 24 bits and 8 for
    each of their UTF-8 bytes, and are counted. Of a model that was trained on
    lines each line is scored by itself, as with --documents lines.
    """
    rate = given(method=dynamic_method, rate=dynamic_rate)
    if rate and not dynamic:
        raise UsageError(f"`--dynamic-{next(iter(rate))}` is for dynamic evaluation.", hint="add `--dynamic`.")
    if per_character:
        refuse_besides("`--per-character` does not go with {}.", also=also)
    from recurra.api import text_scoring
    from recurra.cli import score_output
    from recurra.cli.terminal import await_input, is_terminal, print_stderr, write_json, write_text

    watch = None
    if per_character:
        watch = score_output.view if is_terminal(sys.stdout) and not json else score_output.json_lines
    if "-" in texts:
        await_input("the text")
    with score_output.progress() as progress:
        found = text_scoring.evaluate(
            [model, *(also or [])],
            texts,
            encoding=encoding,
            dynamic=dynamic_method or dynamic,
            dynamic_rate=dynamic_rate,
            documents=documents,
            baselines=baselines,
            watch=watch,
            progress=progress,
        )
    if per_character:
        print_stderr(*score_output.lines(found))
    elif json:
        write_json(found.to_table())
    else:
        write_text("\n".join(score_output.lines(found)) + "\n")
    return 0

"""`recurra score`: measure how well models predict a text."""

import sys
from typing import Annotated

from cyclopts import App, Parameter

from recurra.cli.options import MODEL, OUTPUT, examples, flag, real, text, without_none
from recurra.config.arguments import refuse_besides
from recurra.errors import UsageError

EXAMPLES = examples(
    "recurra score runs/kjv                score the held-out part",
    "recurra score runs/kjv psalms.txt --baselines",
    "recurra score runs/kjv mybook.txt --dynamic --also runs/mybook",
    "recurra score runs/kjv psalm23.txt --per-character",
    "recurra score runs/kjv verses.txt --also runs/koran --documents lines",
)

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
            help="Book names, files, folders, or - for standard input, joined in this order. "
            "Default: the held-out part of the training text.",
        ),
    ],
    also: Annotated[
        list[str] | None, Parameter(help="Another model to compare (may be repeated).", show_default=False)
    ] = None,
    encoding: Annotated[
        str | None,
        Parameter(
            converter=text, help="Encoding of the text, or `bytes`.", show_default="utf-8; bytes for a model of bytes"
        ),
    ] = None,
    dynamic: Annotated[
        bool, flag("Dynamic evaluation: also score with a copy of the model that learns while it reads.")
    ] = False,
    dynamic_method: Annotated[
        str | None,
        Parameter(
            converter=text,
            help="Method of dynamic evaluation: sgd, or rms, which needs the training text.",
            show_default="rms if the training text is readable, else sgd",
        ),
    ] = None,
    dynamic_rate: Annotated[
        float | None, Parameter(converter=real, help="Learning rate of dynamic evaluation.", show_default="by method")
    ] = None,
    per_character: Annotated[
        bool, flag("Print the nats of each character: as a shade on a terminal, else as a line of JSON.", OUTPUT)
    ] = False,
    documents: Annotated[
        str | None,
        Parameter(
            converter=text,
            group=OUTPUT,
            help="lines: score each line separately and list the least likely lines. none: score the text as a whole.",
            show_default="as in training",
        ),
    ] = None,
    baselines: Annotated[bool, flag("Also score with n-grams and compressors.", OUTPUT)] = False,
    json: Annotated[bool, flag("Write one JSON object to stdout instead of the table.", OUTPUT)] = False,
) -> int:
    """Score a text: the bits per character that a model needs.

    The model reads the text once, from beginning to end, and keeps its hidden
    state. The first character costs ln K nats for a vocabulary of K. A
    character outside the vocabulary costs 24 bits, plus 8 bits for each of
    its UTF-8 bytes. A model trained with --documents lines scores each line
    separately.
    """
    dynamic_options = without_none(method=dynamic_method, rate=dynamic_rate)
    if dynamic_options and not dynamic:
        raise UsageError(
            f"`--dynamic-{next(iter(dynamic_options))}` requires dynamic evaluation.", hint="add `--dynamic`."
        )
    if per_character:
        refuse_besides("`--per-character` cannot be combined with {}.", also=also)
    from recurra.api import text_scoring
    from recurra.cli import score_output
    from recurra.cli.terminal import await_input, is_terminal, print_stderr, write_json, write_text

    watch = None
    if per_character:
        watch = score_output.view if is_terminal(sys.stdout) and not json else score_output.json_lines
    if "-" in texts:
        await_input("the text")
    with score_output.progress() as progress:
        evaluation = text_scoring.evaluate(
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
        print_stderr(*score_output.lines(evaluation))
    elif json:
        write_json(evaluation.to_table())
    else:
        write_text("\n".join(score_output.lines(evaluation)) + "\n")
    return 0

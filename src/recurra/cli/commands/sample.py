"""`recurra sample`: a trained network writes."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Group, Parameter

from recurra.cli.options import MODEL, OUTPUT, add_options, flag, given, path, real, text, whole
from recurra.config.arguments import refuse_besides
from recurra.errors import RecurraError, UsageError
from recurra.inference.sampling_options import CHARACTERS, TEXTS, SamplingOptions

EXAMPLES = """\
Examples:
  recurra sample runs/kjv
  recurra sample runs/kjv --prompt "In the beginning " --temperature 0.7
  recurra sample runs/kjv --top-p 0.9 --stop . --best-of 20
  recurra sample runs/kjv --escapes --stop "\\n"
  recurra sample runs/kjv --max-new-tokens 100000 > mine.txt
  recurra sample runs/kjv --novelty --max-new-tokens 2000
  recurra sample runs/kjv --interactive
  echo -n "And God said" | recurra sample runs/kjv --prompt - --json"""
GROUPS = {name: Group(name, sort_key=place) for place, name in enumerate((CHARACTERS, TEXTS), start=1)}
ESCAPED = ("stop", "allow", "ban")  # the options in which `--escapes` reads escapes
HYPHEN: dict[str, Any] = {"allow_leading_hyphen": True, "show_default": False}

app = App(name="sample", usage="Usage: recurra sample MODEL [OPTIONS]", help_epilogue=EXAMPLES)


def sampling_options() -> dict[str, Any]:
    """Return the annotation of the option for each field of `SamplingOptions`: not given, it has the default."""
    found = {}
    for field in dataclasses.fields(SamplingOptions):
        default, group = field.default, GROUPS[field.metadata["group"]]
        options: dict[str, Any] = {"help": field.metadata["help"], "group": group}
        if isinstance(default, int | float):
            kind: Any = type(default)
            options |= {"converter": whole if kind is int else real, "show_default": str(default)}
        else:
            kind = list[str] if isinstance(default, tuple) else str
            options |= HYPHEN
        found[field.name] = Annotated[kind | None, Parameter(**options)]
    return found


@app.default
def sample(
    model: Annotated[str, MODEL],
    /,
    *,
    prompt: Annotated[
        str | None, Parameter(help="What the text begins with; - reads standard input.", **HYPHEN)
    ] = None,
    prompt_file: Annotated[
        Path | None, Parameter(converter=path, help="A file that holds the prompt, all of it.", show_default=False)
    ] = None,
    encoding: Annotated[
        str | None,
        Parameter(
            converter=text,
            help="The encoding of the prompt's file, of standard input and of --training-text, or `bytes`.",
            show_default="utf-8; of a model of bytes: bytes",
        ),
    ] = None,
    escapes: Annotated[
        bool,
        Parameter(
            name=["--escapes", "-e"],
            help=r"Read \n, \t, \r, \\ and \uXXXX in --prompt, --stop, --allow, --ban and typed lines.",
            show_default=False,
            group=GROUPS[TEXTS],
        ),
    ] = False,
    interactive: Annotated[
        bool, flag("Ask for one beginning after another. Ctrl-C stops a text, Ctrl-D leaves.", GROUPS[TEXTS])
    ] = False,
    novelty: Annotated[bool, flag("Say what is copied from the training text, and where it stands.", OUTPUT)] = False,
    training_text: Annotated[
        str | None,
        Parameter(
            converter=text,
            help="The book, file or folder for --novelty, if not the run's own.",
            group=OUTPUT,
            show_default=False,
        ),
    ] = None,
    logprobs: Annotated[bool, flag("With --json: ln p of every character, by the model itself.", OUTPUT)] = False,
    json: Annotated[bool, flag("One JSON object on stdout, in place of the text.", OUTPUT)] = False,
    **settings: Any,
) -> int:
    """Write text with a trained network.

    On a terminal the prompt comes first, and control characters are shown
    escaped. Into a file or a pipe goes the new text alone, as it is, in UTF-8
    (of a model of bytes: the bytes) and a newline; an empty line between two.
    """
    from recurra.cli import sample_output
    from recurra.cli.terminal import await_input
    from recurra.inference.sampling import SamplingConfig
    from recurra.runs.saved_model import load
    from recurra.text.escapes import unescape
    from recurra.text.text import BYTES

    _refuse(prompt, prompt_file, interactive, novelty, training_text, logprobs, json)
    _refuse_useless(encoding, is_read=prompt_file is not None or prompt == "-" or training_text is not None)
    settings = given(**settings)
    beginning = prompt or ""
    if escapes:
        beginning = unescape(beginning, "`--prompt`")
        settings |= {name: _unescaped(name, settings[name]) for name in ESCAPED if name in settings}
    config = SamplingConfig(**settings)
    if prompt == "-":
        await_input("the prompt")
    loaded = load(model)
    config = sample_output.adapt_config(loaded, config)
    encoding = encoding or (BYTES if loaded.vocabulary.is_bytes else "utf-8")
    source = prompt_file if prompt_file is not None else "-" if prompt == "-" else None
    if source is not None:
        beginning = sample_output.read_prompt(source, encoding)
    learned = _learned(model, training_text, encoding) if novelty else None
    loaded.sample(max_new_tokens=1)  # compiles the kernels before anyone waits for them
    if interactive:
        sample_output.converse(loaded, config, escapes=escapes)
    elif json:
        sample_output.write_object(loaded, beginning, config, learned, with_logs=logprobs)
    else:
        sample_output.write_texts(loaded, beginning, config, learned)
    return 0


add_options(sample, sampling_options())


def _refuse(
    prompt: str | None,
    prompt_file: Path | None,
    interactive: bool,
    novelty: bool,
    training_text: str | None,
    logprobs: bool,
    json: bool,
) -> None:
    """UsageError for options that do not go together."""
    if prompt is not None and prompt_file is not None:
        raise UsageError("the prompt is given twice, by `--prompt` and `--prompt-file`.", hint="leave out one.")
    if interactive:
        others = {"prompt": prompt, "prompt_file": prompt_file, "json": json, "novelty": novelty}
        refuse_besides("`--interactive` asks for beginnings itself; got {} besides.", None, **others)
    if training_text is not None and not novelty:
        raise UsageError("`--training-text` is for `--novelty`, which is not asked for.")
    if logprobs and not json:
        raise UsageError("`--logprobs` is a part of the JSON object.", hint="add `--json`.")


def _refuse_useless(encoding: str | None, *, is_read: bool) -> None:
    """UsageError for an encoding where no file or standard input is read."""
    if encoding is not None and not is_read:
        raise UsageError(
            "`--encoding` is for `--prompt-file`, `--prompt -` and `--training-text`; none of them is given.",
            hint="leave it out.",
        )


def _unescaped(name: str, value: str | list[str]) -> str | list[str]:
    """Return the value of an option, each escape in it as its character."""
    from recurra.text.escapes import unescape

    if isinstance(value, str):
        return unescape(value, f"`--{name}`")
    return [unescape(one, f"`--{name}`") for one in value]


def _learned(model: str, training_text: str | None, encoding: str) -> Any:
    """The text that the model has learned from, as far as it can be told."""
    from recurra.runs.provenance import read_training_text
    from recurra.text.model_files import require_texts
    from recurra.text.reading import read

    if training_text is None:
        try:
            return read_training_text(model)
        except RecurraError as error:
            error.hint = "name the text with `--training-text`."
            raise
    require_texts([training_text], lambda _: "give the text that the model was trained on.", encoding)
    return read(training_text, encoding)

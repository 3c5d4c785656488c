"""`recurra sample`: write text with a trained network."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Group, Parameter

from recurra.cli.options import MODEL, OUTPUT, add_options, examples, flag, path, real, text, whole, without_none
from recurra.config.arguments import refuse_besides
from recurra.errors import RecurraError, UsageError
from recurra.inference.sampling_options import CHARACTERS, TEXTS, SamplingOptions

EXAMPLES = examples(
    "recurra sample runs/kjv",
    'recurra sample runs/kjv --prompt "In the beginning " --temperature 0.7',
    "recurra sample runs/kjv --top-p 0.9 --stop . --best-of 20",
    'recurra sample runs/kjv --escapes --stop "\\n"',
    "recurra sample runs/kjv --max-new-tokens 100000 > mine.txt",
    "recurra sample runs/kjv --novelty --max-new-tokens 2000",
    "recurra sample runs/kjv --interactive",
    'echo -n "And God saw" | recurra sample runs/kjv --prompt - --json',
)
GROUPS = {name: Group(name, sort_key=place) for place, name in enumerate((CHARACTERS, TEXTS), start=1)}
ESCAPED = ("stop", "allow", "ban")  # the options in which `--escapes` decodes escape sequences
HYPHEN: dict[str, Any] = {"allow_leading_hyphen": True, "show_default": False}

app = App(name="sample", usage="Usage: recurra sample MODEL [OPTIONS]", help_epilogue=EXAMPLES)


def sampling_options() -> dict[str, Any]:
    """Return the annotation of the option for each field of `SamplingOptions`."""
    annotations = {}
    for field in dataclasses.fields(SamplingOptions):
        default, group = field.default, GROUPS[field.metadata["group"]]
        options: dict[str, Any] = {"help": field.metadata["help"], "group": group}
        if isinstance(default, int | float):
            kind: Any = type(default)
            options |= {"converter": whole if kind is int else real, "show_default": str(default)}
        else:
            kind = list[str] if isinstance(default, tuple) else str
            options |= HYPHEN
        annotations[field.name] = Annotated[kind | None, Parameter(**options)]
    return annotations


@app.default
def sample(
    model: Annotated[str, MODEL],
    /,
    *,
    prompt: Annotated[str | None, Parameter(help="Beginning of the text; - is standard input.", **HYPHEN)] = None,
    prompt_file: Annotated[
        Path | None, Parameter(converter=path, help="File whose whole content is the prompt.", show_default=False)
    ] = None,
    encoding: Annotated[
        str | None,
        Parameter(
            converter=text,
            help="Encoding of --prompt-file, of standard input and of --training-text, or `bytes`.",
            show_default="utf-8; bytes for a model of bytes",
        ),
    ] = None,
    escapes: Annotated[
        bool,
        Parameter(
            name=["--escapes", "-e"],
            help=r"Decode \n, \t, \r, \\ and \uXXXX in --prompt, --stop, --allow, --ban and typed lines.",
            show_default=False,
            group=GROUPS[TEXTS],
        ),
    ] = False,
    interactive: Annotated[
        bool, flag("Read prompts from the terminal. Ctrl-C stops a text, Ctrl-D ends the session.", GROUPS[TEXTS])
    ] = False,
    novelty: Annotated[
        bool, flag("List the passages copied from the training text, with their places.", OUTPUT)
    ] = False,
    training_text: Annotated[
        str | None,
        Parameter(
            converter=text,
            help="With --novelty: the training text (book, file or folder), if the run has no path to it.",
            group=OUTPUT,
            show_default=False,
        ),
    ] = None,
    logprobs: Annotated[bool, flag("With --json: log-probability of each character at temperature 1.", OUTPUT)] = False,
    json: Annotated[bool, flag("Write one JSON object to stdout instead of the text.", OUTPUT)] = False,
    **settings: Any,
) -> int:
    """Write text with a trained network.

    On a terminal, the command prints the prompt and then the new text, with
    control characters escaped. A file or a pipe gets only the new text, in
    UTF-8, and a newline; an empty line separates several texts. A model of
    bytes writes its bytes unchanged.
    """
    from recurra.cli import sample_output
    from recurra.cli.terminal import await_input
    from recurra.inference.sampling import SamplingConfig
    from recurra.runs.saved_model import load
    from recurra.text.escapes import unescape
    from recurra.text.text import BYTES

    _refuse(prompt, prompt_file, interactive, novelty, training_text, logprobs, json)
    _refuse_useless(encoding, is_read=prompt_file is not None or prompt == "-" or training_text is not None)
    settings = without_none(**settings)
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
    loaded.sample(max_new_tokens=1)  # compile the kernels before the first text
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
    """Raise UsageError for options that cannot be combined."""
    if prompt is not None and prompt_file is not None:
        raise UsageError("`--prompt` and `--prompt-file` cannot be combined.", hint="remove one of them.")
    if interactive:
        others = {"prompt": prompt, "prompt_file": prompt_file, "json": json, "novelty": novelty}
        refuse_besides("`--interactive` cannot be combined with {}.", None, **others)
    if training_text is not None and not novelty:
        raise UsageError("`--training-text` requires `--novelty`.", hint="add `--novelty`.")
    if logprobs and not json:
        raise UsageError("`--logprobs` requires `--json`.", hint="add `--json`.")


def _refuse_useless(encoding: str | None, *, is_read: bool) -> None:
    """Raise UsageError if an encoding is given and no file or standard input is read."""
    if encoding is not None and not is_read:
        raise UsageError(
            "`--encoding` requires `--prompt-file`, `--prompt -` or `--training-text`.",
            hint="remove `--encoding`.",
        )


def _unescaped(name: str, value: str | list[str]) -> str | list[str]:
    """Return the value of an option with its escape sequences decoded."""
    from recurra.text.escapes import unescape

    if isinstance(value, str):
        return unescape(value, f"`--{name}`")
    return [unescape(string, f"`--{name}`") for string in value]


def _learned(model: str, training_text: str | None, encoding: str) -> Any:
    """Return `training_text`; without it, the training text of the model."""
    from recurra.runs.provenance import read_training_text
    from recurra.text.model_files import require_texts
    from recurra.text.reading import read

    if training_text is None:
        try:
            return read_training_text(model)
        except RecurraError as error:
            error.hint = "add `--training-text` with the training text."
            raise
    require_texts([training_text], lambda _: "give the training text of the model.", encoding)
    return read(training_text, encoding)

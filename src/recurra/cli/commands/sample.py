"""`recurra sample`: a trained network writes."""

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Group, Parameter

from recurra.cli.options import MODEL, OUTPUT, flag, given, path, real, text, whole
from recurra.config.arguments import refuse_besides
from recurra.errors import UsageError

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
RULES = Group("Which characters", sort_key=1)
TEXTS = Group("Which texts", sort_key=2)
HYPHEN: dict[str, Any] = {"allow_leading_hyphen": True, "show_default": False}

app = App(name="sample", usage="Usage: recurra sample MODEL [OPTIONS]", help_epilogue=EXAMPLES)


def number(help: str, default: str, group: Group, converter: Any = whole) -> Parameter:
    """The option for a number of `SamplingConfig`."""
    return Parameter(converter=converter, help=help, show_default=default, group=group)


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
    max_new_tokens: Annotated[int | None, number("Characters to write, at most.", "200", TEXTS)] = None,
    seed: Annotated[int | None, number("The same seed writes the same text.", "0", TEXTS)] = None,
    num_return_sequences: Annotated[
        int | None, number("Texts to write; number i (from 0) has seed SEED + i.", "1", TEXTS)
    ] = None,
    best_of: Annotated[
        int | None, number("Each text is the likeliest, by the character, of so many candidates.", "1", TEXTS)
    ] = None,
    stop: Annotated[
        list[str] | None,
        Parameter(help="End before this string, where it comes; may be given often.", group=TEXTS, **HYPHEN),
    ] = None,
    escapes: Annotated[
        bool,
        Parameter(
            name=["--escapes", "-e"],
            help=r"Read \n, \t, \r, \\ and \uXXXX in --prompt, --stop, --allow, --ban and typed lines.",
            show_default=False,
            group=TEXTS,
        ),
    ] = False,
    temperature: Annotated[
        float | None, number("1: as learned; less: safer; 0: always the likeliest.", "1.0", RULES, real)
    ] = None,
    top_k: Annotated[int | None, number("Only the k likeliest characters; 0: all.", "0", RULES)] = None,
    top_p: Annotated[
        float | None, number("Only the likeliest that together have this probability.", "1.0", RULES, real)
    ] = None,
    min_p: Annotated[
        float | None, number("Only those at least so likely, as a share of the likeliest.", "0.0", RULES, real)
    ] = None,
    repetition_penalty: Annotated[
        float | None, number("Above 1: characters that stand in prompt or text are less likely.", "1.0", RULES, real)
    ] = None,
    allow: Annotated[str | None, Parameter(help="Only these characters.", group=RULES, **HYPHEN)] = None,
    ban: Annotated[str | None, Parameter(help="None of these characters.", group=RULES, **HYPHEN)] = None,
    interactive: Annotated[
        bool, flag("Ask for one beginning after another. Ctrl-C stops a text, Ctrl-D leaves.", TEXTS)
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
) -> int:
    """Write text with a trained network.

    On a terminal the prompt comes first, and control characters are shown
    escaped. Into a file or a pipe goes the new text alone, as it is, in UTF-8
    (of a model of bytes: the bytes) and a newline; an empty line between two.
    """
    arguments = locals()
    from recurra.cli import sample_output
    from recurra.cli.terminal import await_input
    from recurra.inference.sampling import SamplingConfig
    from recurra.runs.saved_model import load
    from recurra.text.text import BYTES

    _refuse(prompt, prompt_file, interactive, novelty, training_text, logprobs, json)
    _refuse_useless(encoding, is_read=prompt_file is not None or prompt == "-" or training_text is not None)
    if escapes:
        arguments |= _unescaped(prompt=prompt, stop=stop, allow=allow, ban=ban)
    config = SamplingConfig(**given(**{field.name: arguments[field.name] for field in fields(SamplingConfig)}))
    if prompt == "-":
        await_input("the prompt")
    loaded = load(model)
    config = sample_output.adapted(loaded, config)
    encoding = encoding or (BYTES if loaded.vocabulary.is_bytes else "utf-8")
    source = prompt_file if prompt_file is not None else "-" if prompt == "-" else None
    beginning = (arguments["prompt"] or "") if source is None else sample_output.read_prompt(source, encoding)
    learned = _learned(model, training_text, encoding) if novelty else None
    loaded.sample(max_new_tokens=1)  # compiles the kernels before anyone waits for them
    if interactive:
        sample_output.converse(loaded, config, escapes=escapes)
    elif json:
        sample_output.write_object(loaded, beginning, config, learned, with_logs=logprobs)
    else:
        sample_output.write_texts(loaded, beginning, config, learned)
    return 0


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


def _unescaped(**options: str | list[str] | None) -> dict[str, str | list[str]]:
    """The options that were given, each escape in them as its character."""
    from recurra.text.escapes import unescaped

    return {
        name: unescaped(value, f"`--{name}`")
        if isinstance(value, str)
        else [unescaped(one, f"`--{name}`") for one in value]
        for name, value in given(**options).items()
    }


def _learned(model: str, training_text: str | None, encoding: str) -> Any:
    """The text that the model has learned from, as far as it can be told."""
    from recurra.cli.sample_copies import text_of_run
    from recurra.text.model_files import require_texts
    from recurra.text.reading import read

    if training_text is None:
        return text_of_run(model)
    require_texts([training_text], lambda _: "give the text that the model was trained on.", encoding)
    return read(training_text, encoding)

"""The application: find the command that a command line names, parse its arguments and run it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from inspect import BoundArguments
from keyword import iskeyword
from typing import Any

from cyclopts import App, CycloptsError, Parameter

from recurra import __version__
from recurra.cli.options import examples
from recurra.cli.parser_errors import explain, suggestion
from recurra.errors import UsageError
from recurra.system.shell import path_argument

COMMANDS = (
    "train", "sample", "score", "check", "compress", "decompress", "report", "export", "import", "serve", "books",
    "doctor",
)  # fmt: skip
EXAMPLES = examples(
    "recurra train                         train on the King James Bible",
    "recurra sample runs/kjv               write text with the model",
    "recurra train mybook.txt              train on a text of your own",
    "recurra check                         check the gradients",
)


def build() -> App:
    """Return the application. A command imports the libraries that it needs only when it runs, so that help is fast."""
    app = App(
        name="recurra",
        help="Train character-level recurrent language models on your own text.",
        usage="Usage: recurra COMMAND [OPTIONS]",
        help_epilogue=f"{EXAMPLES}\n\n`recurra COMMAND --help` lists the options of a command.",
        help_format="plaintext",
        version=f"recurra {__version__}",
        version_flags=["--version"],
        default_parameter=Parameter(negative=()),
        suppress_keyboard_interrupt=False,
    )
    for place, name in enumerate(COMMANDS):
        command = import_module(f"recurra.cli.commands.{name}{'_' if iskeyword(name) else ''}").app
        command.sort_key, command.default_parameter = place, app.default_parameter
        app.command(command)
    app["--help"].help = "Show this page."
    app["--version"].help = "Show the version."
    return app


def run(arguments: list[str]) -> int:
    """Parse `arguments`, call the command and return its exit code; UsageError if the arguments are wrong."""
    app = build()
    command, bound = parse(app, arguments)
    from recurra.cli.terminal import notices
    from recurra.system.system_info import is_silent

    with notices(quiet=is_silent()):
        code = command(*bound.args, **bound.kwargs)
    return code if isinstance(code, int) else 0


def parse(app: App, arguments: list[str]) -> tuple[Callable[..., Any], BoundArguments]:
    """Return the function of the command and its converted arguments."""
    try:
        command, bound, _ = app.parse_args(arguments, print_error=False, exit_on_error=False)
    except CycloptsError as error:
        raise explain(error, _name(app, arguments)) from None
    _refuse_options(app, arguments, bound.arguments.get("texts") or ())
    return command, bound


def _name(app: App, arguments: list[str]) -> str:
    """Return the program and the command that `arguments` name: `recurra`, or `recurra train`."""
    return " ".join([app.name[0], *app.parse_commands(arguments)[0]])


def _refuse_options(app: App, arguments: list[str], texts: list[str] | tuple[str, ...]) -> None:
    """Raise UsageError if a text is a misspelled option.

    The parser accepts words that begin with a hyphen as texts, because `-` is standard input.
    """
    forced = arguments[arguments.index("--") + 1 :] if "--" in arguments else []
    for text in texts:
        if text == "-" or not text.startswith("-") or text in forced:
            continue
        known = sorted(
            {name for argument in _command(app, arguments).assemble_argument_collection() for name in argument.names}
        )
        name = text.partition("=")[0]
        if name in known:
            raise UsageError(f"a text is expected before `{name}`.", hint=f"see `{_name(app, arguments)} --help`.")
        meant = suggestion(name, [option for option in known if option.startswith("-")])
        hint = f"did you mean {meant}?" if meant else f"see `{_name(app, arguments)} --help`."
        raise UsageError(
            f"there is no option `{name}`.", hint=f"{hint} Write a file of that name as `{path_argument(text)}`."
        )


def _command(app: App, arguments: list[str]) -> App:
    return app.parse_commands(arguments)[1][-1]

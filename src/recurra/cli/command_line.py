"""The commands by name, and the way from a command line to one of them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from inspect import BoundArguments
from keyword import iskeyword
from typing import Any

from cyclopts import App, CycloptsError, Parameter

from recurra import __version__
from recurra.cli.parser_errors import explain, suggestion
from recurra.errors import UsageError
from recurra.system.shell import path_argument

COMMANDS = (
    "train", "sample", "score", "check", "compress", "decompress", "report", "export", "import", "serve", "books",
    "doctor",
)  # fmt: skip
EXAMPLES = """\
Examples:
  recurra train                         a network learns the King James Bible
  recurra sample runs/kjv               what it writes
  recurra train mybook.txt              your own book
  recurra check                         the proof of its gradients"""


def build() -> App:
    """The application. A command's module is imported for its help, what its body needs only when it runs."""
    app = App(
        name="recurra",
        help="Character-level recurrent language models of your own text.",
        usage="Usage: recurra COMMAND [OPTIONS]",
        help_epilogue=f"{EXAMPLES}\n\n`recurra COMMAND --help` says more of a command.",
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
    """Parse, call, and give back the command's exit code. UsageError for what makes no sense."""
    app = build()
    command, bound = parse(app, arguments)
    from recurra.cli.terminal import notices
    from recurra.system.system_info import is_silent

    with notices(quiet=is_silent()):
        code = command(*bound.args, **bound.kwargs)
    return code if isinstance(code, int) else 0


def parse(app: App, arguments: list[str]) -> tuple[Callable[..., Any], BoundArguments]:
    """The command's function, and its arguments, converted."""
    try:
        command, bound, _ = app.parse_args(arguments, print_error=False, exit_on_error=False)
    except CycloptsError as error:
        raise explain(error, _name(app, arguments)) from None
    _refuse_options(app, arguments, bound.arguments.get("texts") or ())
    return command, bound


def _name(app: App, arguments: list[str]) -> str:
    """What was called: `recurra`, or `recurra train`."""
    return " ".join([app.name[0], *app.parse_commands(arguments)[0]])


def _refuse_options(app: App, arguments: list[str], texts: list[str] | tuple[str, ...]) -> None:
    """UsageError for a text that is a misspelled option: texts may be a lone `-`, which leaves the parser no choice."""
    forced = arguments[arguments.index("--") + 1 :] if "--" in arguments else []
    for text in texts:
        if text == "-" or not text.startswith("-") or text in forced:
            continue
        known = sorted(
            {name for argument in _command(app, arguments).assemble_argument_collection() for name in argument.names}
        )
        name = text.partition("=")[0]
        if name in known:
            raise UsageError(f"a text is missing before `{name}`.", hint=f"see `{_name(app, arguments)} --help`.")
        meant = suggestion(name, [one for one in known if one.startswith("-")])
        hint = f"did you mean {meant}?" if meant else f"`{_name(app, arguments)} --help` lists the options."
        raise UsageError(
            f"there is no option `{name}`.", hint=f"{hint} A file of that name is `{path_argument(text)}`."
        )


def _command(app: App, arguments: list[str]) -> App:
    return app.parse_commands(arguments)[1][-1]

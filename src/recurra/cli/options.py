"""Parameters and converters that several commands share; the settings themselves check their ranges."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cyclopts import Group, Parameter, Token

from recurra.config import NONE, SETTINGS, Setting
from recurra.config.declaration import HELD_OUT, NETWORK, RECORDS, TRAINING, Characters, Duration, Number, OneOf, Whole
from recurra.config.presets import PRESET_SETTINGS
from recurra.errors import UsageError
from recurra.formatting import quote_text

LAST_PORT = 65535
MAX_DIGITS = 100  # of a whole number; settings have smaller limits
Command = TypeVar("Command", bound=Callable[..., Any])

TEXT_GROUP = Group("Text and model", sort_key=1)
SETTING_GROUPS = {
    name: Group(name, sort_key=2 + place) for place, name in enumerate((NETWORK, TRAINING, HELD_OUT, RECORDS))
}
OUTPUT = Group("Output", sort_key=6)


def whole(_type: Any, tokens: Sequence[Token]) -> int:
    """Convert a whole number, such as 100000, 100_000 or 1e5; the caller checks its range."""
    value = tokens[0].value
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or (number.adjusted() < MAX_DIGITS and number != number.to_integral_value()):
        raise UsageError(f"`{_name(tokens)}` must be a whole number; got {_shown(value)}.")
    if number.adjusted() >= MAX_DIGITS:
        raise UsageError(
            f"`{_name(tokens)}` must be a whole number of {MAX_DIGITS} digits at most; got {_shown(value)}."
        )
    return int(number)


def real(_type: Any, tokens: Sequence[Token]) -> float:
    """Convert a number. Accept nan and infinity too: the settings reject them with a better message."""
    value = tokens[0].value
    try:
        return float(value)
    except ValueError:
        raise UsageError(f"`{_name(tokens)}` must be a number; got {_shown(value)}.") from None


def real_or_none(_type: Any, tokens: Sequence[Token]) -> float | str:
    """Convert a number or the word `none`."""
    return NONE if tokens[0].value.lower() == NONE else real(_type, tokens)


def text(_type: Any, tokens: Sequence[Token]) -> str:
    """Return the value unchanged; UsageError if it is empty."""
    if not tokens[0].value:
        raise UsageError(f"`{_name(tokens)}` must not be empty.")
    return tokens[0].value


def path(_type: Any, tokens: Sequence[Token]) -> Path:
    """Convert a path; UsageError if it is empty."""
    return Path(text(_type, tokens))


def require_port(port: int | None) -> None:
    """Raise UsageError if `port` is neither None nor a port number, including 0 for any free port."""
    if port is not None and not 0 <= port <= LAST_PORT:
        raise UsageError(f"`--port` must be a whole number from 0 to {LAST_PORT}; got {port}.")


MODEL = Parameter(name="MODEL", converter=text, help="A run directory (its best checkpoint) or a checkpoint file.")


def with_settings(
    *, before: str, names: Iterable[str] = SETTINGS, defaults: Mapping[str, str] | None = None, grouped: bool = True
) -> Callable[[Command], Command]:
    """Return a decorator that adds an option for each of the settings `names` to a command with `**settings`.

    The help lists these options before the option of the parameter `before`. `defaults` replaces the default values
    that the help shows.
    """

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command)
        others = [
            parameter
            for parameter in signature.parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        place = [parameter.name for parameter in others].index(before)
        options = [_parameter(SETTINGS[name], (defaults or {}).get(name), grouped=grouped) for name in names]
        parameters = [*others[:place], *options, *others[place:]]
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return command

    return decorate


def _parameter(setting: Setting, default: str | None, *, grouped: bool) -> inspect.Parameter:
    """Return the keyword parameter of a command for a setting; its default value is None."""
    kind, reader = _reader(setting)
    option = Parameter(
        name=setting.option,
        converter=reader,
        help=setting_help(setting),
        show_default=default or _default(setting),
        allow_leading_hyphen=isinstance(setting.values, Duration | Characters),  # the setting itself rejects -1s
        **without_none(
            group=SETTING_GROUPS[setting.group] if grouped else None,
            metavar="FLOAT" if reader is real_or_none else None,
        ),
    )
    return inspect.Parameter(
        setting.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _reader(setting: Setting) -> tuple[Any, Callable[[Any, Sequence[Token]], Any]]:
    """Return the type of a setting's values on the command line, and the function that reads one."""
    match setting.values:
        case Whole():
            return int, whole
        case Number():
            return (float | str, real_or_none) if setting.takes_none else (float, real)
        case _:
            return str, text


def setting_help(setting: Setting) -> str:
    """Return the help text of a setting, with its allowed values."""
    match setting.values:
        case OneOf(names):
            return f"{setting.help}: {', '.join(names)}."
        case Duration():  # its help text has examples
            return f"{setting.help}."
        case values:
            return f"{setting.help}. [{values.shown}{f', or {NONE}' if setting.takes_none else ''}]"


def _default(setting: Setting) -> str:
    """Return the default of a setting as the help shows it."""
    if setting.name in PRESET_SETTINGS:
        return "by preset"
    if setting.default_words:
        return setting.default_words
    if setting.default is None:
        return NONE
    return f"{setting.default:g}s" if isinstance(setting.values, Duration) else str(setting.default)


def flag(help: str, group: Group | None = None) -> Parameter:
    """Return the parameter of an option without a value."""
    return Parameter(
        help=help, show_default=False, **without_none(group=group)
    )  # cyclopts would hide an option whose group is None


def examples(*lines: str) -> str:
    """Return the examples at the end of a help page."""
    return "\n  ".join(["Examples:", *lines])


def output(help: str, default: str, group: Group | None = OUTPUT, **named: Any) -> Parameter:
    """Return the parameter of `--output`; `default` describes its default value in the help."""
    return Parameter(
        name=["--output", "-o"],
        help=help,
        show_default=default,
        **{"converter": path} | without_none(group=group) | named,
    )


def add_options(command: Any, options: Mapping[str, Any]) -> None:
    """Add the `options`, annotations by name, to `command`, whose last parameter is `**settings`."""
    signature = inspect.signature(command)
    *others, _ = signature.parameters.values()
    positional = [parameter for parameter in others if parameter.kind is not inspect.Parameter.KEYWORD_ONLY]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in options.items()
    ]
    command.__signature__ = signature.replace(parameters=[*positional, *added, *others[len(positional) :]])


def without_none(**options: Any) -> dict[str, Any]:
    """Return the options that are not None."""
    return {name: value for name, value in options.items() if value is not None}


def _name(tokens: Sequence[Token]) -> str:
    return tokens[0].keyword or "value"


def _shown(value: str) -> str:
    return quote_text(value if len(value) <= 40 else value[:40] + "…")

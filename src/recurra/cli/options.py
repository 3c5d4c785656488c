"""How options are read: numbers that are exact, ranges left to the settings themselves, and shared parameters."""

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
MAX_DIGITS = 100  # of the longest whole number that is read; settings have smaller bounds of their own
Command = TypeVar("Command", bound=Callable[..., Any])

WHAT = Group("What is learned", sort_key=1)
SETTING_GROUPS = {
    name: Group(name, sort_key=2 + place) for place, name in enumerate((NETWORK, TRAINING, HELD_OUT, RECORDS))
}
OUTPUT = Group("Output", sort_key=6)


def whole(_type: Any, tokens: Sequence[Token]) -> int:
    """A whole number: 100000, 100_000 or 1e5; its range is checked where it is used."""
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
    """A number; nan and infinity too, since the settings say better than the parser what is wrong with them."""
    value = tokens[0].value
    try:
        return float(value)
    except ValueError:
        raise UsageError(f"`{_name(tokens)}` must be a number; got {_shown(value)}.") from None


def real_or_none(_type: Any, tokens: Sequence[Token]) -> float | str:
    """A number, or the word `none`."""
    return NONE if tokens[0].value.lower() == NONE else real(_type, tokens)


def text(_type: Any, tokens: Sequence[Token]) -> str:
    """The value as it stands; never empty."""
    if not tokens[0].value:
        raise UsageError(f"`{_name(tokens)}` must not be empty.")
    return tokens[0].value


def path(_type: Any, tokens: Sequence[Token]) -> Path:
    """A path; never empty."""
    return Path(text(_type, tokens))


def require_port(port: int | None) -> None:
    """Raise UsageError unless `port` is a port, 0 for any free one, or not given."""
    if port is not None and not 0 <= port <= LAST_PORT:
        raise UsageError(f"`--port` must be from 0 to {LAST_PORT}; got {port}.")


MODEL = Parameter(name="MODEL", converter=text, help="A run's folder (its best checkpoint) or a checkpoint file.")


def with_settings(
    *, before: str, names: Iterable[str] = SETTINGS, defaults: Mapping[str, str] | None = None, grouped: bool = True
) -> Callable[[Command], Command]:
    """Give a command an option for each of the settings `names`; its `**settings` has those that a user gives.

    In the help they come before the option of the parameter `before`, and those of `defaults` have another default.
    """

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command)
        own = [of for of in signature.parameters.values() if of.kind is not inspect.Parameter.VAR_KEYWORD]
        place = [of.name for of in own].index(before)
        options = [_parameter(SETTINGS[name], (defaults or {}).get(name), grouped=grouped) for name in names]
        parameters = [*own[:place], *options, *own[place:]]
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return command

    return decorate


def _parameter(setting: Setting, default: str | None, *, grouped: bool) -> inspect.Parameter:
    """Return the keyword parameter of a command for a setting; None if the setting is not given."""
    kind, reader = _reader(setting)
    option = Parameter(
        name=setting.option,
        converter=reader,
        help=setting_help(setting),
        show_default=default or _default(setting),
        allow_leading_hyphen=isinstance(setting.values, Duration | Characters),  # a duration below zero is an error
        **given(
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
    """Return the help of a setting: what it is, and what may be given."""
    match setting.values:
        case OneOf(names):
            return f"{setting.help}: {', '.join(names)}."
        case Duration():  # the help has examples
            return f"{setting.help}."
        case values:
            return f"{setting.help}. [{values.shown}{f', or {NONE}' if setting.takes_none else ''}]"


def _default(setting: Setting) -> str:
    """Return the default of a setting in the help."""
    if setting.name in PRESET_SETTINGS:
        return "by preset"
    if setting.default_words:
        return setting.default_words
    if setting.default is None:
        return NONE
    return f"{setting.default:g}s" if isinstance(setting.values, Duration) else str(setting.default)


def flag(help: str, group: Group | None = None) -> Parameter:
    """An option without a value: given or not."""
    return Parameter(help=help, show_default=False, **given(group=group))  # a group of None would hide it


def output(help: str, default: str, group: Group | None = OUTPUT, **named: Any) -> Parameter:
    """The option for what is to be written; `default` says in words where, unless it is given."""
    return Parameter(
        name=["--output", "-o"], help=help, show_default=default, **{"converter": path} | given(group=group) | named
    )


def add_options(command: Any, options: Mapping[str, Any]) -> None:
    """Give `command`, whose last parameter is `**settings`, an option of each name, with its annotation."""
    signature = inspect.signature(command)
    *own, _ = signature.parameters.values()
    positional = [parameter for parameter in own if parameter.kind is not inspect.Parameter.KEYWORD_ONLY]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in options.items()
    ]
    command.__signature__ = signature.replace(parameters=[*positional, *added, *own[len(positional) :]])


def given(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _name(tokens: Sequence[Token]) -> str:
    return tokens[0].keyword or "value"


def _shown(value: str) -> str:
    return quote_text(value if len(value) <= 40 else value[:40] + "…")

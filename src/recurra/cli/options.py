"""How options are read: numbers that are exact, ranges left to the settings themselves, and shared parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from cyclopts import Group, Parameter, Token

from recurra.config import TIMES, ModelConfig, TrainingConfig
from recurra.config.presets import PRESETS, choose
from recurra.errors import UsageError
from recurra.formatting import quoted

LAST_PORT = 65535
NONE = "none"
DIGITS = 100  # of the longest whole number that is read; settings have smaller bounds of their own
SETTINGS = {  # and their defaults
    field.name: field.default for config in (ModelConfig, TrainingConfig) for field in dataclasses.fields(config)
}
_VARIED = {name for settings in (*PRESETS.values(), choose(0, 0).settings) for name in settings}

WHAT = Group("What is learned", sort_key=1)
NETWORK = Group("The network", sort_key=2)
HOW = Group("How it learns", sort_key=3)
HELD_OUT = Group("What is held out", sort_key=4)
WATCH = Group("What is written down", sort_key=5)
OUTPUT = Group("Output", sort_key=6)


def whole(_type: Any, tokens: Sequence[Token]) -> int:
    """A whole number: 100000, 100_000 or 1e5; its range is checked where it is used."""
    value = tokens[0].value
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or (number.adjusted() < DIGITS and number != number.to_integral_value()):
        raise UsageError(f"`{_name(tokens)}` must be a whole number; got {_shown(value)}.")
    if number.adjusted() >= DIGITS:
        raise UsageError(f"`{_name(tokens)}` must be a whole number of {DIGITS} digits at most; got {_shown(value)}.")
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


def setting(name: str, help: str, **named: Any) -> Parameter:
    """The option for a setting of `ModelConfig` or `TrainingConfig`: not given, it is left to their default."""
    default = SETTINGS[name]
    reader = whole if type(default) is int else real if type(default) is float else text
    value = f"{default:g}s" if name in TIMES and default is not None else str(default)
    shown = "by preset" if name in _VARIED else NONE if default is None else value
    return Parameter(
        name=f"--{name.replace('_', '-')}", help=help, **{"converter": reader, "show_default": shown} | named
    )


def flag(help: str, group: Group | None = None) -> Parameter:
    """An option without a value: given or not."""
    return Parameter(help=help, show_default=False, **given(group=group))  # a group of None would hide it


def output(help: str, default: str, group: Group | None = OUTPUT, **named: Any) -> Parameter:
    """The option for what is to be written; `default` says in words where, unless it is given."""
    return Parameter(
        name=["--output", "-o"], help=help, show_default=default, **{"converter": path} | given(group=group) | named
    )


def given(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def refuse_besides(message: str, hint: str | None = "leave out one of them.", **others: Any) -> None:
    """UsageError where one of the `others` was given, whose name stands in the message for {}."""
    for name, value in others.items():
        if value is not None and value is not False:
            option = name if name.isupper() else f"`--{name.replace('_', '-')}`"
            raise UsageError(message.format(option), hint=hint)


def _name(tokens: Sequence[Token]) -> str:
    return tokens[0].keyword or "value"


def _shown(value: str) -> str:
    return quoted(value if len(value) <= 40 else value[:40] + "…")

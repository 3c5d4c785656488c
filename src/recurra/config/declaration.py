"""The declaration of a setting: a dataclass field whose metadata are the fields of `Setting`.

Validation, command-line options, the check of a resumed run and the reference page all read this declaration.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from typing import Any, NamedTuple, Self

from recurra.config import arguments

MAX_SEED = 2**63 - 1
NONE = "none"  # the word for None in TOML and on a command line

# Groups of settings: headings in `recurra train --help` and on the reference page.
NETWORK = "Network"
TRAINING = "Training"
HELD_OUT = "Held-out text"
RECORDS = "Run and records"

OTHER_RUN = "leave this option out, or train a new run with it."


class Whole(NamedTuple):
    """The whole numbers from `low` to `high`."""

    low: int
    high: int = MAX_SEED

    def allows(self, value: object) -> bool:
        """Return True if `value` is an int in the range; a bool is no int here."""
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    @property
    def expected(self) -> str:
        """The range as words for an error message."""
        return f"a whole number, between {self.low} and {self.high}"

    @property
    def shown(self) -> str:
        """The range as words for a help text."""
        return f"{self.low} or more" if self.high == MAX_SEED else f"{self.low} to {self.high}"


class Number(NamedTuple):
    """The finite numbers from `low` to `high`; an open range (`is_open`) excludes `low`."""

    low: float
    high: float = math.inf
    is_open: bool = False

    def allows(self, value: object) -> bool:
        """Return True if `value` is an int or a float in the range; a bool is no number here."""
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not abs(value) <= sys.float_info.max:
            return False
        return (self.low < value if self.is_open else self.low <= value) and value <= self.high

    @property
    def expected(self) -> str:
        """The range as words for an error message."""
        if self.high < math.inf:
            return f"a number from {self.low:g} to {self.high:g}"
        return "a positive finite number" if self.is_open else f"a finite number, at least {self.low:g}"

    @property
    def shown(self) -> str:
        """The range as words for a help text."""
        if self.high < math.inf:
            return f"{self.low:g} to {self.high:g}"
        return f"above {self.low:g}" if self.is_open else f"{self.low:g} or more"


class Duration(NamedTuple):
    """The durations of at least `low` seconds; an open range excludes `low`. Users may write 90s, 10m or 2h."""

    low: float
    is_open: bool = False

    def allows(self, value: object) -> bool:
        """Return True if `value` is a number of seconds in the range."""
        return Number(self.low, is_open=self.is_open).allows(value)

    @property
    def expected(self) -> str:
        """The range as words for an error message."""
        return Number(self.low, is_open=self.is_open).expected

    @property
    def shown(self) -> str:
        """The range as words for a help text."""
        return Number(self.low, is_open=self.is_open).shown


class OneOf(NamedTuple):
    """A fixed set of names."""

    names: tuple[str, ...]

    def allows(self, value: object) -> bool:
        """Return True if `value` is one of the names."""
        return isinstance(value, str) and value in self.names

    @property
    def expected(self) -> str:
        """The names as words for an error message."""
        return "one of " + ", ".join(self.names)


class Characters(NamedTuple):
    """Any text of up to `longest` characters that UTF-8 can encode."""

    longest: int

    def allows(self, value: object) -> bool:
        """Return True if `value` is a text within the limits."""
        if not isinstance(value, str) or len(value) > self.longest or "\0" in value:
            return False
        return not any("\ud800" <= character <= "\udfff" for character in value)

    @property
    def expected(self) -> str:
        """The limit in an error message."""
        return f"a text of at most {self.longest:,} characters, without NUL and lone surrogates"

    @property
    def shown(self) -> str:
        """The limit in a help text."""
        return f"at most {self.longest:,} characters"


Values = Whole | Number | Duration | OneOf | Characters


class Setting(NamedTuple):
    """A declared setting.

    Attributes:
        name: the name of the dataclass field
        default: the default of the dataclass field
        help: a phrase without a full stop; `--help` and the reference page add choices, range and default
        values: the allowed values
        group: the heading in `--help`
        optional: True if None is allowed, too
        unit: the plural noun that a number counts, such as "updates"
        fixed: the hint for a user who changes the setting of a resumed run; empty if a change is allowed
        default_words: the description of a default that depends on other settings
    """

    name: str
    default: Any
    help: str
    values: Values
    group: str
    optional: bool = False
    unit: str = ""
    fixed: str = ""
    default_words: str = ""

    @property
    def takes_none(self) -> bool:
        """Return True if None is a value that a user may choose. With `default_words`, None means the default."""
        return self.optional and not self.default_words

    @property
    def option(self) -> str:
        """The name of the command-line option."""
        return f"--{self.name.replace('_', '-')}"

    def require(self, value: object) -> None:
        """Raise UsageError unless `value` is allowed."""
        if not (self.values.allows(value) or (self.optional and value is None)):
            raise arguments.invalid_argument(self.name, self.values.expected, value)


def setting(
    default: Any,
    help: str,
    values: Values,
    group: str,
    *,
    optional: bool = False,
    unit: str = "",
    fixed: str = "",
    default_words: str = "",
) -> Any:
    """Return a dataclass field that declares a setting; `Setting` describes the arguments."""
    metadata = {
        "help": help, "values": values, "group": group, "optional": optional, "unit": unit, "fixed": fixed,
        "default_words": default_words,
    }  # fmt: skip
    return dataclasses.field(default=default, metadata=metadata)


def declared(config: Any) -> dict[str, Setting]:
    """Return the settings of a configuration (its class or an instance) by name, in the order of the fields."""
    fields = dataclasses.fields(config)
    return {field.name: Setting(field.name, field.default, **field.metadata) for field in fields}


def require(condition: bool, name: str, expected: str, value: object) -> None:
    """Raise UsageError for the `value` of the setting `name` unless the `condition` on several settings is True."""
    if not condition:
        raise arguments.invalid_argument(name, expected, value)


def is_none(value: object) -> bool:
    """Return True for None and for the word `none`, which represents None in a table."""
    return value is None or (isinstance(value, str) and value == NONE)


class Configuration:
    """The base class of a frozen dataclass of declared settings, validated and convertible to a flat table.

    run.toml, the metadata of model files and messages between processes contain this table.
    """

    def __post_init__(self) -> None:
        """Convert NumPy scalars to Python objects, and raise UsageError for a value that is not allowed."""
        arguments.unwrap_fields(self)
        for name, setting in declared(self).items():
            setting.require(getattr(self, name))

    def to_table(self) -> dict[str, Any]:
        """Return every setting by name; None becomes "none", since TOML has no null."""
        pairs = ((name, getattr(self, name)) for name in declared(self))
        return {name: NONE if value is None else value for name, value in pairs}

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Self:
        """Return the configuration of a table; a missing setting has its default, an unknown name raises UsageError."""
        arguments.require_known(table, list(declared(cls)))
        settings = declared(cls)
        return cls(
            **{name: None if is_none(value) and settings[name].optional else value for name, value in table.items()}
        )

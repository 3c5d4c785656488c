"""The declaration of a setting: a dataclass field whose metadata has the help, the allowed values and the resume rule.

Validation, command-line options, the rules of run.toml and the reference page read the declaration; see `Setting`.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from typing import Any, NamedTuple, Self

from recurra.config import arguments

MAX_SEED = 2**63 - 1
NONE = "none"  # None in TOML and on a command line

NETWORK = "The network"
HOW = "How it learns"
HELD_OUT = "What is held out"
WATCH = "What is written down"

OTHER_RUN = "leave it out, or train another run with it."


class Whole(NamedTuple):
    """The whole numbers from `low` to `high`."""

    low: int
    high: int = MAX_SEED

    def allows(self, value: object) -> bool:
        """Return True if `value` is an int of the range, and no bool."""
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    @property
    def expected(self) -> str:
        """The range in an error message."""
        return f"a whole number, between {self.low} and {self.high}"

    @property
    def shown(self) -> str:
        """The range in a help text."""
        return f"{self.low} or more" if self.high == MAX_SEED else f"{self.low} to {self.high}"


class Number(NamedTuple):
    """The finite numbers from `low` to `high`; without `low` itself if it `is_open`."""

    low: float
    high: float = math.inf
    is_open: bool = False

    def allows(self, value: object) -> bool:
        """Return True if `value` is a number of the range, and no bool."""
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not abs(value) <= sys.float_info.max:
            return False
        return (self.low < value if self.is_open else self.low <= value) and value <= self.high

    @property
    def expected(self) -> str:
        """The range in an error message."""
        if self.high < math.inf:
            return f"a number from {self.low:g} to {self.high:g}"
        return "a positive finite number" if self.is_open else f"a finite number, at least {self.low:g}"

    @property
    def shown(self) -> str:
        """The range in a help text."""
        if self.high < math.inf:
            return f"{self.low:g} to {self.high:g}"
        return f"above {self.low:g}" if self.is_open else f"{self.low:g} or more"


class Duration(NamedTuple):
    """The seconds from `low` on; without `low` itself if it `is_open`. A user may write 90s, 10m or 2h."""

    low: float
    is_open: bool = False

    def allows(self, value: object) -> bool:
        """Return True if `value` is a number of seconds of the range."""
        return Number(self.low, is_open=self.is_open).allows(value)

    @property
    def expected(self) -> str:
        """The range in an error message."""
        return Number(self.low, is_open=self.is_open).expected

    @property
    def shown(self) -> str:
        """The range in a help text."""
        return Number(self.low, is_open=self.is_open).shown


class OneOf(NamedTuple):
    """One of some names."""

    names: tuple[str, ...]

    def allows(self, value: object) -> bool:
        """Return True if `value` is one of the names."""
        return isinstance(value, str) and value in self.names

    @property
    def expected(self) -> str:
        """The names in an error message."""
        return "one of " + ", ".join(self.names)


class Characters(NamedTuple):
    """Any text of up to `longest` characters that UTF-8 can encode."""

    longest: int

    def allows(self, value: object) -> bool:
        """Return True if `value` is such a text."""
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

    `name` and `default` are those of the dataclass field; the metadata of the field has the others. `help` is a phrase
    without a full stop, for the command line and the reference page; choices, range and default are added to it.
    `values` are what is allowed, and None if the setting is `optional`. `unit` is the plural noun that a number counts.
    `fixed` is the hint for a user who changes the setting of a resumed run, where it must stay; it is empty for a
    setting that may change. `default_words` stand for a default that depends on other settings.
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
        """Return True if None is a value of its own; None in place of `default_words` is that default."""
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
    help: str,
    values: Values,
    group: str,
    *,
    optional: bool = False,
    unit: str = "",
    fixed: str = "",
    default_words: str = "",
) -> dict[str, Any]:
    """Return the metadata of a dataclass field that declares a setting; the arguments are the fields of `Setting`."""
    return {
        "help": help, "values": values, "group": group, "optional": optional, "unit": unit, "fixed": fixed,
        "default_words": default_words,
    }  # fmt: skip


def declared(config: Any) -> dict[str, Setting]:
    """Return the settings of a configuration, a class or an instance, by name and in their order."""
    fields = dataclasses.fields(config)
    return {field.name: Setting(field.name, field.default, **field.metadata) for field in fields}


def require(good: bool, name: str, expected: str, got: object) -> None:
    """Raise UsageError unless a condition on several settings is `good`; the setting `name` is blamed."""
    if not good:
        raise arguments.invalid_argument(name, expected, got)


def is_none(value: object) -> bool:
    """Return True for None and the word that stands for it in a table."""
    return value is None or (isinstance(value, str) and value == NONE)


class Configuration:
    """A frozen dataclass of declared settings: validated, and converted to and from a flat table.

    TOML, safetensors metadata and messages between processes hold the table.
    """

    def __post_init__(self) -> None:
        """Convert NumPy scalars to Python objects, and raise UsageError for a value that is not allowed."""
        arguments.unwrap_fields(self)
        for name, setting in declared(self).items():
            setting.require(getattr(self, name))

    def to_table(self) -> dict[str, Any]:
        """Return every setting by name; None is written "none", since TOML has no null."""
        pairs = ((name, getattr(self, name)) for name in declared(self))
        return {name: NONE if value is None else value for name, value in pairs}

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Self:
        """Return the settings that a table holds; an unknown name is an error, a missing one has its default."""
        arguments.require_known(table, list(declared(cls)))
        settings = declared(cls)
        return cls(
            **{name: None if is_none(value) and settings[name].optional else value for name, value in table.items()}
        )

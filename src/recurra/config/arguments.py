"""Checks of the arguments of public functions: each returns the value as a plain object, or raises UsageError."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, TypeVar

from recurra.errors import UsageError

LONGEST_SHOWN = 80  # characters of a value in an error
CLOSE = 0.6  # the similarity from which on a name is suggested, of 1
_PLAIN = (bool, int, float, str, bytes, tuple, type(None))
Kind = TypeVar("Kind")


def unwrap_numpy(value: Any) -> Any:
    """Return a NumPy scalar, or an array without dimensions, as the Python object that it holds; else `value`."""
    if type(value) in _PLAIN or getattr(value, "ndim", None) != 0 or not hasattr(value, "item"):
        return value
    return value.item()


def unwrap_fields(settings: Any) -> None:
    """Replace the NumPy scalars in the fields of a frozen dataclass, such as a configuration, by Python objects."""
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if type(value) not in _PLAIN:
            object.__setattr__(settings, field.name, unwrap_numpy(value))


def short_repr(value: object) -> str:
    """Return a value as an error message shows it: its `repr`, cut to `LONGEST_SHOWN` characters."""
    try:
        found = repr(value)
    except (ValueError, RecursionError):  # more digits, or levels, than Python writes
        return "one too long to show"
    return found if len(found) <= LONGEST_SHOWN else f"{found[:LONGEST_SHOWN]}…"


def invalid_argument(name: str, expected: str, value: object, hint: str | None = None) -> UsageError:
    """Return the error for an argument that is not what is expected."""
    return UsageError(f"`{name}` must be {expected}; got {short_repr(value)}.", hint=hint)


def text(name: str, value: Any) -> str:
    """Return a str."""
    value = unwrap_numpy(value)
    if isinstance(value, str):
        return value
    is_bytes = isinstance(value, (bytes, bytearray, memoryview))
    raise invalid_argument(
        name, "a str", value, "decode the bytes: `data.decode()`, if they are UTF-8." if is_bytes else None
    )


def text_or_none(name: str, value: Any) -> str | None:
    """Return a str, or None for None."""
    return None if value is None else text(name, value)


def path(name: str, value: Any) -> Path:
    """Return a path, given as a str that is not empty or as a pathlib.Path."""
    value = unwrap_numpy(value)
    given = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(given, str) or not given or not _can_be_path(given):
        raise invalid_argument(name, "a path, as a str or a pathlib.Path", value)
    return Path(given)


def _can_be_path(given: str) -> bool:
    """Return True if the operating system can be given this path: it has no NUL and can be encoded."""
    try:
        os.fsencode(given)
    except UnicodeEncodeError:
        return False
    return "\0" not in given


def as_list(value: Any) -> list[Any]:
    """Return the items of a list or a tuple, else a list of the value alone."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def flag(name: str, value: Any) -> bool:
    """Return a bool."""
    value = unwrap_numpy(value)
    if not isinstance(value, bool):
        raise invalid_argument(name, "True or False", value)
    return value


def function(name: str, value: Any) -> None:
    """Raise UsageError unless `value` is a function or None."""
    if value is not None and not callable(value):
        raise invalid_argument(name, "a function or None", value)


def whole_number(name: str, value: Any, low: int, high: int) -> int:
    """Return an int from `low` to `high`."""
    value = unwrap_numpy(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise invalid_argument(name, f"a whole number from {low:,} to {high:,}", value)
    return value


def instance(name: str, value: Any, kind: type[Kind], hint: str | None = None) -> Kind:
    """Return an instance of the class `kind`."""
    if not isinstance(value, kind):
        raise invalid_argument(name, f"a {kind.__name__}", value, hint)
    return value


def require_known(given: Iterable[str], known: Collection[str]) -> None:
    """Raise UsageError if a keyword of `given` is not the name of a setting; its hint suggests the nearest name."""
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=CLOSE)
            suggestion = f"did you mean `{close[0]}`? " if close else ""
            raise UsageError(f"unknown setting `{name}`.", hint=f"{suggestion}known are {', '.join(sorted(known))}.")


def refuse_besides(message: str, hint: str | None = "leave out one of them.", **others: object) -> None:
    """Raise UsageError if one of the `others` is given: not None, False or []. Its option replaces {} in `message`."""
    for name, value in others.items():
        if value is not None and value is not False and not (isinstance(value, list) and not value):
            option = name if name.isupper() else f"`--{name.replace('_', '-')}`"
            raise UsageError(message.format(option), hint=hint)

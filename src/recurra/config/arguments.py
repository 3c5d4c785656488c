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
MIN_SIMILARITY = 0.6  # of a suggested name and the unknown name, from 0 to 1
_PLAIN = (bool, int, float, str, bytes, tuple, type(None))
Kind = TypeVar("Kind")


def unwrap_numpy(value: Any) -> Any:
    """Convert a NumPy scalar or a zero-dimensional array to a Python object; return any other value unchanged."""
    if type(value) in _PLAIN or getattr(value, "ndim", None) != 0 or not hasattr(value, "item"):
        return value
    return value.item()


def unwrap_fields(settings: Any) -> None:
    """Replace NumPy scalars in the fields of a frozen dataclass by Python objects."""
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if type(value) not in _PLAIN:
            object.__setattr__(settings, field.name, unwrap_numpy(value))


def short_repr(value: object) -> str:
    """Return the `repr` of a value for an error message, cut to `LONGEST_SHOWN` characters."""
    try:
        printed = repr(value)
    except (ValueError, RecursionError):  # more digits, or deeper nesting, than Python prints
        return "a value too long to print"
    return printed if len(printed) <= LONGEST_SHOWN else f"{printed[:LONGEST_SHOWN]}…"


def invalid_argument(name: str, expected: str, value: object, hint: str | None = None) -> UsageError:
    """Return the error for the argument `name`; `expected` completes the sentence "`name` must be …"."""
    return UsageError(f"`{name}` must be {expected}; got {short_repr(value)}.", hint=hint)


def text(name: str, value: Any) -> str:
    """Return `value` if it is a str."""
    value = unwrap_numpy(value)
    if isinstance(value, str):
        return value
    is_bytes = isinstance(value, (bytes, bytearray, memoryview))
    raise invalid_argument(
        name, "a str", value, "decode the bytes: `data.decode()`, if they are UTF-8." if is_bytes else None
    )


def text_or_none(name: str, value: Any) -> str | None:
    """Return `value` if it is a str or None."""
    return None if value is None else text(name, value)


def path(name: str, value: Any) -> Path:
    """Return a non-empty str or a pathlib.Path as a Path."""
    value = unwrap_numpy(value)
    characters = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(characters, str) or not characters or not _is_possible_path(characters):
        raise invalid_argument(name, "a path, as a str or a pathlib.Path", value)
    return Path(characters)


def _is_possible_path(characters: str) -> bool:
    """Return True if the operating system accepts this path: it has no NUL, and can be encoded."""
    try:
        os.fsencode(characters)
    except UnicodeEncodeError:
        return False
    return "\0" not in characters


def as_list(value: Any) -> list[Any]:
    """Return the items of a list or a tuple; put any other value into a list."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def flag(name: str, value: Any) -> bool:
    """Return `value` if it is a bool."""
    value = unwrap_numpy(value)
    if not isinstance(value, bool):
        raise invalid_argument(name, "True or False", value)
    return value


def function(name: str, value: Any) -> None:
    """Raise UsageError unless `value` is a function or None."""
    if value is not None and not callable(value):
        raise invalid_argument(name, "a function or None", value)


def whole_number(name: str, value: Any, low: int, high: int) -> int:
    """Return `value` if it is an int from `low` to `high`."""
    value = unwrap_numpy(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise invalid_argument(name, f"a whole number from {low:,} to {high:,}", value)
    return value


def instance(name: str, value: Any, kind: type[Kind], hint: str | None = None) -> Kind:
    """Return `value` if it is an instance of the class `kind`."""
    if not isinstance(value, kind):
        raise invalid_argument(name, f"a {kind.__name__}", value, hint)
    return value


def require_known(names: Iterable[str], known: Collection[str]) -> None:
    """Raise UsageError if one of `names` is not the name of a setting; the hint suggests the most similar name."""
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=MIN_SIMILARITY)
            suggestion = f"did you mean `{close[0]}`? " if close else ""
            hint = f"{suggestion}the settings are {', '.join(sorted(known))}."
            raise UsageError(f"unknown setting `{name}`.", hint=hint)


def refuse_besides(message: str, hint: str | None = "leave out one of them.", **others: object) -> None:
    """Raise UsageError if one of the `others` is set, that is, neither None nor False nor [].

    In `message`, {} is replaced by the name of the command-line option that is set.
    """
    for name, value in others.items():
        if value is not None and value is not False and not (isinstance(value, list) and not value):
            option = name if name.isupper() else f"`--{name.replace('_', '-')}`"
            raise UsageError(message.format(option), hint=hint)

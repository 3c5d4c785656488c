"""The parser's errors in our words: what is wrong in one line, and what to do about it in another."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from itertools import chain

from cyclopts import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from recurra.errors import UsageError
from recurra.system.shell import path_argument

CUTOFF = 0.6
MAX_SUGGESTIONS = 3  # names that one suggestion has


def explain(error: CycloptsError, called: str) -> UsageError:
    """The UsageError for a command line that `called` (`recurra train`) does not understand."""
    if isinstance(error.__cause__, UsageError):  # from a converter of ours
        return error.__cause__
    help_hint = f"see `{called} --help`."
    match error:
        case UnknownCommandError():
            return _unknown_command(error)
        case UnknownOptionError():
            return _unknown_option(error, help_hint)
        case MissingArgumentError():
            assert error.argument is not None  # noqa: S101 - the parser always names it
            name = error.keyword or error.argument.name
            message = f"`{name}` needs a value." if name.startswith("-") else f"{name} is missing."
            return UsageError(message, hint=help_hint)
        case RepeatArgumentError():
            return UsageError(f"`{error.token.keyword}` is given more than once.", hint=help_hint)
        case UnusedCliTokensError():
            extra = (error.unused_tokens or [""])[0]
            return UsageError(f"`{extra}` is one argument too many.", hint=help_hint)
        case CoercionError(token=token) if token is not None and error.msg is None:
            return UsageError(f"`{token.keyword}` takes no value; got {token.value!r}.", hint=help_hint)
        case _:
            return UsageError(str(error), hint=help_hint)


def suggestion(name: str, known: Iterable[str], before: str = "") -> str | None:
    """Return the names that may have been meant, each after `before`; None without any.

    They begin with `name` (up to three), have it as a part between hyphens (up to three), or one is spelled alike.
    """
    typed = name.lower().lstrip("-").replace("_", "-")
    names = {one.lstrip("-"): one for one in known if len(one.lstrip("-")) > 1}
    begin = [one for one in names if typed and one.startswith(typed)]
    part = [one for one in names if typed and f"-{typed}-" in f"-{one}-"]
    close = difflib.get_close_matches(typed, names, n=1, cutoff=CUTOFF)
    likely = next((found for found in (begin, part) if 0 < len(found) <= MAX_SUGGESTIONS), close)
    return " or ".join(f"`{before}{names[one]}`" for one in sorted(likely)) or None


def _unknown_command(error: UnknownCommandError) -> UsageError:
    from recurra.text.named_books import NAMES  # not needed for a page of help, which must be quick

    token = (error.unused_tokens or [""])[0]
    names = [name for name in (error.app or ()) if not name.startswith("-")]
    if token.startswith("-"):
        return UsageError(f"`{token}` must come after a command.", hint=f"the commands are {', '.join(names)}.")
    meant = suggestion(token, names, "recurra ")
    if token in NAMES or os.path.lexists(token) or "." in token:
        hint = f"to learn a text: `recurra train {path_argument(token)}`."
    else:
        hint = f"did you mean {meant}?" if meant else f"the commands are {', '.join(names)}."
    return UsageError(f"there is no command `{token}`.", hint=hint)


def _unknown_option(error: UnknownOptionError, help_hint: str) -> UsageError:
    name = (error.token.keyword or error.token.value).partition("=")[0]
    if name == "-":
        return UsageError("there is nothing here that standard input, `-`, could be.", hint=help_hint)
    known = list(chain.from_iterable(argument.names for argument in error.argument_collection))
    meant = suggestion(name, [one for one in known if one.startswith("-")])
    hint = f"did you mean {meant}?" if meant else help_hint
    there = f" A file of that name is `{path_argument(name)}`." if os.path.lexists(name) else ""
    return UsageError(f"there is no option `{name}`.", hint=hint + there)

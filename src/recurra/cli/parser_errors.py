"""Turn the errors of the command-line parser into UsageErrors with a hint."""

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

MIN_SIMILARITY = 0.6
MAX_SUGGESTIONS = 3


def explain(error: CycloptsError, called: str) -> UsageError:
    """Return the UsageError for `error`, which the parser raised for the command `called`, such as `recurra train`."""
    if isinstance(error.__cause__, UsageError):  # raised by one of our converters
        return error.__cause__
    help_hint = f"see `{called} --help`."
    match error:
        case UnknownCommandError():
            return _unknown_command(error)
        case UnknownOptionError():
            return _unknown_option(error, help_hint)
        case MissingArgumentError():
            assert error.argument is not None  # noqa: S101 - the parser always sets it
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
    """Return the known names that resemble `name`, each after the words `before`; None if there is none.

    Names that begin with `name` come first, then names with `name` between hyphens (up to three of either), then the
    most similar spelling.
    """
    typed = name.lower().lstrip("-").replace("_", "-")
    names = {option.lstrip("-"): option for option in known if len(option.lstrip("-")) > 1}
    beginning = [option for option in names if typed and option.startswith(typed)]
    containing = [option for option in names if typed and f"-{typed}-" in f"-{option}-"]
    close = difflib.get_close_matches(typed, names, n=1, cutoff=MIN_SIMILARITY)
    likely = next((matches for matches in (beginning, containing) if 0 < len(matches) <= MAX_SUGGESTIONS), close)
    return " or ".join(f"`{before}{names[option]}`" for option in sorted(likely)) or None


def _unknown_command(error: UnknownCommandError) -> UsageError:
    from recurra.text.named_books import NAMES  # imported late, so that help is fast

    token = (error.unused_tokens or [""])[0]
    names = [name for name in (error.app or ()) if not name.startswith("-")]
    if token.startswith("-"):
        return UsageError(f"`{token}` must come after a command.", hint=f"the commands are {', '.join(names)}.")
    meant = suggestion(token, names, "recurra ")
    if token in NAMES or os.path.lexists(token) or "." in token:
        hint = f"to train on a text: `recurra train {path_argument(token)}`."
    else:
        hint = f"did you mean {meant}?" if meant else f"the commands are {', '.join(names)}."
    return UsageError(f"there is no command `{token}`.", hint=hint)


def _unknown_option(error: UnknownOptionError, help_hint: str) -> UsageError:
    name = (error.token.keyword or error.token.value).partition("=")[0]
    if name == "-":
        return UsageError("this command does not read standard input, `-`, here.", hint=help_hint)
    known = list(chain.from_iterable(argument.names for argument in error.argument_collection))
    meant = suggestion(name, [option for option in known if option.startswith("-")])
    hint = f"did you mean {meant}?" if meant else help_hint
    file_hint = f" Write a file of that name as `{path_argument(name)}`." if os.path.lexists(name) else ""
    return UsageError(f"there is no option `{name}`.", hint=hint + file_hint)

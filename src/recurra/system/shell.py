"""Quote file names for commands that can be pasted into a shell."""

from __future__ import annotations

import os
import shlex

from recurra.formatting import is_unsafe


def path_argument(path: str | os.PathLike[str]) -> str:
    """Quote `path` as one argument of a shell command; a leading hyphen cannot make it an option.

    Control characters, and bytes that are not UTF-8, become escapes in bash's `$'...'`.
    """
    text = os.fspath(path)
    if text.startswith("-"):
        text = f"./{text}"
    if not any(map(is_unsafe, text)):
        return shlex.quote(text)
    return f"$'{''.join(map(_in_bash, text))}'"


def _in_bash(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if not is_unsafe(character):
        return character
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))

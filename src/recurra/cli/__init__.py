"""The command `recurra`: thin commands that parse, call and print. Data goes to stdout, all else to stderr.

`application` finds a command in `commands/`, a module each; the modules here are what those share or leave to others.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (none: the process's own); returns the exit code. No exception leaves it."""
    try:
        from recurra.cli.application import run

        return run(sys.argv[1:] if arguments is None else list(arguments))
    except SystemExit as stop:  # from the library that prints help, where its reader went away
        return stop.code if isinstance(stop.code, int) else 1
    except BaseException as error:
        from recurra.cli.failures import tell

        return tell(error)

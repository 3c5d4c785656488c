"""The command `recurra`: thin commands that parse, call and print. Data goes to stdout, all else to stderr.

`command_line` finds a command in `commands/`, a module each. A command parses options, calls `recurra.api` and prints
what that returns; the other modules here are what several commands share, and what one of them prints.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (None: that of this process); return the exit code and raise nothing."""
    from recurra.system.signals import Interrupts

    interrupts = Interrupts()
    if arguments is None:
        interrupts.install()
    try:
        from recurra.cli.command_line import run

        return run(sys.argv[1:] if arguments is None else list(arguments))
    except BaseException as error:
        interrupts.action = interrupts.ignore  # before anything is called: a second Ctrl-C would cut the report short
        from recurra.cli.failures import report_error

        return report_error(error)
    finally:
        interrupts.action = interrupts.leave

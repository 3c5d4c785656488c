"""The command `recurra`: thin commands that parse, call and print. Data goes to stdout, all else to stderr.

`application` finds a command in `commands/`, a module each; the modules here are what those share or leave to others.
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
        from recurra.cli.failures import tell

        return tell(error)
    finally:
        interrupts.action = interrupts.leave

"""The command `recurra`. Data goes to stdout, and messages go to stderr.

`command_line` finds a command in `commands/`, which has one module per command. A command parses its options, calls
`recurra.api` and prints the result. The other modules here print the results or serve several commands.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (None: `sys.argv`); return the exit code and raise nothing."""
    from recurra.system.signals import Interrupts

    interrupts = Interrupts()
    if arguments is None:
        interrupts.install()
    try:
        from recurra.cli.command_line import run

        return run(sys.argv[1:] if arguments is None else list(arguments))
    except BaseException as error:
        interrupts.action = (
            interrupts.ignore
        )  # first of all, or a second Ctrl-C could interrupt the report of the error
        from recurra.cli.failures import report_error

        return report_error(error)
    finally:
        interrupts.action = interrupts.leave

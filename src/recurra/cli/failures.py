"""What went wrong → words on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback

from recurra.cli.terminal import paint, print_labeled, print_stderr
from recurra.errors import Interrupted, RecurraError, StorageError
from recurra.formatting import sanitize
from recurra.system.executable import program, runnable
from recurra.system.system_info import is_silent

INTERRUPTED = 130
READER_GONE = 141  # as if SIGPIPE had ended the process
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def report_error(error: BaseException) -> int:
    """Say what happened; returns the exit code."""
    if isinstance(error, RecurraError) and is_silent():
        return error.exit_code  # the first process says it
    if isinstance(error, Interrupted):
        print_stderr(sanitize(error.message))
        return error.exit_code
    if isinstance(error, RecurraError):
        return _failure(error)
    if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, BrokenPipeError | SystemExit):  # the library that prints help turns the one into the other
        _discard_stdout()
        return READER_GONE
    if isinstance(error, KeyboardInterrupt):
        print_stderr("interrupted.")
        return INTERRUPTED
    if isinstance(error, MemoryError):
        return _failure(RecurraError("there is not enough memory.", hint="a smaller network or text needs less."))
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return _failure(StorageError(f"cannot write: {error.strerror}.", hint="free some space."))
    return _bug(error)


def _failure(error: RecurraError) -> int:
    print_labeled("error: ", error.message, "red")
    if error.hint is not None:
        print_labeled("hint: ", runnable(error.hint), "bold")
    return error.exit_code


def _bug(error: BaseException) -> int:
    print_stderr(sanitize("".join(traceback.format_exception(error)).rstrip()))
    print_stderr(
        f"{paint('error:', 'red')} internal: {type(error).__name__}. This is a bug in recurra, not a mistake of yours.",
        f"{paint('hint:', 'bold')} please report it to the project, "
        f"with the lines above, the command, and what `{program()} doctor` prints.",
    )
    return RecurraError.exit_code


def _discard_stdout() -> None:
    """Let what Python still holds for stdout go nowhere, or its own end would complain."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError, AttributeError):
        sys.stdout = None

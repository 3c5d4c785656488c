"""Print errors to stderr and choose the exit code."""

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
BROKEN_PIPE = 141  # the exit code of a process that SIGPIPE ended
NO_SPACE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def report_error(error: BaseException) -> int:
    """Print `error` and return the exit code."""
    if isinstance(error, RecurraError) and is_silent():
        return error.exit_code  # the leader process prints it
    if isinstance(error, Interrupted):
        print_stderr(sanitize(error.message))
        return error.exit_code
    if isinstance(error, RecurraError):
        return _failure(error)
    if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(
        error, BrokenPipeError | SystemExit
    ):  # the library that prints help raises SystemExit for BrokenPipeError
        _discard_stdout()
        return BROKEN_PIPE
    if isinstance(error, KeyboardInterrupt):
        print_stderr("interrupted.")
        return INTERRUPTED
    if isinstance(error, MemoryError):
        return _failure(
            RecurraError(
                "there is not enough memory.", hint="use a smaller network, a smaller batch or a shorter text."
            )
        )
    if isinstance(error, OSError) and error.errno in NO_SPACE_ERRORS:
        return _failure(
            StorageError(f"cannot write: {error.strerror}.", hint="free some disk space, or write to another disk.")
        )
    return _bug(error)


def _failure(error: RecurraError) -> int:
    print_labeled("error: ", error.message, "red")
    if error.hint is not None:
        print_labeled("hint: ", runnable(error.hint), "bold")
    return error.exit_code


def _bug(error: BaseException) -> int:
    print_stderr(sanitize("".join(traceback.format_exception(error)).rstrip()))
    print_stderr(
        f"{paint('error:', 'red')} internal: {type(error).__name__}. This is a bug in recurra.",
        f"{paint('hint:', 'bold')} please report it to the project "
        f"with the lines above, the command, and the output of `{program()} doctor`.",
    )
    return RecurraError.exit_code


def _discard_stdout() -> None:
    """Redirect stdout to the null device, so that Python does not fail when it flushes stdout at exit."""
    try:
        null_device = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null_device, sys.stdout.fileno())
        os.close(null_device)
    except (OSError, ValueError, AttributeError):
        sys.stdout = None

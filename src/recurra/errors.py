"""The exceptions that a user can meet, each with the exit code of the command line.

    RecurraError                 1   any failure; a failed check too
    ├── UsageError               2   an option, argument or setting that makes no sense
    ├── TextError                3   a text that cannot be read or learned from
    ├── ModelError               4   a model that is missing, unknown or unreadable
    ├── NumericalError           5   NaN or infinity during training
    ├── CheckpointError          6   a checkpoint that is corrupt
    ├── CompressedFileError      6   a compressed file that is corrupt
    ├── StorageError             7   storage full, read-only or gone
    └── Interrupted   129, 130, 143   stopped by SIGHUP, SIGINT or SIGTERM, after saving

The message says what is wrong and what was expected; `hint` says what to do about it.
"""

from __future__ import annotations


class RecurraError(Exception):
    """The root of the tree: an error that is the user's to act on, never a bug of ours."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class UsageError(RecurraError, ValueError):
    """An option, argument or setting that makes no sense."""

    exit_code = 2


class TextError(RecurraError, ValueError):
    """A text that cannot be read, decoded or learned from."""

    exit_code = 3


class ModelError(RecurraError):
    """A model that is missing, unknown or unreadable."""

    exit_code = 4


class NumericalError(RecurraError, ArithmeticError):
    """NaN or infinity: `update` (counted from 1) is where it appeared, `tensor` what it appeared in."""

    exit_code = 5

    def __init__(self, message: str, *, update: int, tensor: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.update = update
        self.tensor = tensor


class CheckpointError(RecurraError):
    """A checkpoint whose bytes are not the bytes that were written."""

    exit_code = 6


class CompressedFileError(RecurraError):
    """A compressed file whose bytes are not the bytes that were written."""

    exit_code = 6


class StorageError(RecurraError, OSError):
    """Storage that is full, read-only or gone."""

    exit_code = 7


class Interrupted(RecurraError):  # noqa: N818 - no error: the user's own wish
    """Training was stopped by signal number `signal`, after a checkpoint was saved."""

    def __init__(self, message: str, *, signal: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = 128 + signal

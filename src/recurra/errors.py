"""The exceptions that recurra raises, each with the exit code of the command line.

    RecurraError                 1   any failure, and a failed check
    ├── UsageError               2   an invalid option, argument or setting
    ├── TextError                3   a text that cannot be read or trained on
    ├── ModelError               4   a model that is missing, unknown or unreadable
    ├── NumericalError           5   NaN or infinity during training
    ├── CheckpointError          6   a checkpoint that is corrupt
    ├── CompressedFileError      6   a compressed file that is corrupt
    ├── StorageError             7   storage full, read-only or gone
    └── Interrupted   129, 130, 143   stopped by SIGHUP, SIGINT or SIGTERM, after saving

The message describes the problem and the expected value; `hint` is the user's next step.
"""

from __future__ import annotations


class RecurraError(Exception):
    """The base class: an error that the user can correct, not a bug in recurra."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class UsageError(RecurraError, ValueError):
    """An invalid option, argument or setting."""

    exit_code = 2


class TextError(RecurraError, ValueError):
    """A text that cannot be read, decoded or trained on."""

    exit_code = 3


class ModelError(RecurraError):
    """A model that is missing, unknown or unreadable."""

    exit_code = 4


class NumericalError(RecurraError, ArithmeticError):
    """NaN or infinity in the array `tensor`, at the update `update` (counted from 1)."""

    exit_code = 5

    def __init__(self, message: str, *, update: int, tensor: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.update = update
        self.tensor = tensor


class CheckpointError(RecurraError):
    """A corrupt checkpoint: its bytes have changed since it was written."""

    exit_code = 6


class CompressedFileError(RecurraError):
    """A corrupt compressed file: its bytes have changed since it was written."""

    exit_code = 6


class StorageError(RecurraError, OSError):
    """Storage that is full, read-only or gone."""

    exit_code = 7


class Interrupted(RecurraError):  # noqa: N818 - not an error: the user stopped the training
    """The end of a training that received signal number `signal` and saved a checkpoint."""

    def __init__(self, message: str, *, signal: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = 128 + signal

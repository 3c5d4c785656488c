"""Ids → inputs and targets of shape (n, T, B), read in order, with a cursor that can be saved; splits."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from recurra.errors import CheckpointError, TextError, UsageError
from recurra.text.id_file import IdFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.text.id_file import Ids


class Cursor(NamedTuple):
    """A place in the reading: complete epochs, and complete updates of the epoch that is under way."""

    epoch: int
    position: int


class Chunk(NamedTuple):
    """n updates: `targets[i, t, b]` is the id that follows `inputs[i, t, b]` in the text; both (n, T, B)."""

    inputs: NDArray[Any]
    targets: NDArray[Any]


def cuts(length: int, validation: float, test: float = 0.0) -> tuple[int, int]:
    """Where training ends and where testing begins: floor(N·(1 − v − t)) and floor(N·(1 − t)).

    The shares are taken as the decimals that they print as: in floating point 10 · (1 − 0.9) is below 1.
    """
    if 0 <= validation < 1 and 0 <= test < 1:
        v, t = Fraction(str(float(validation))), Fraction(str(float(test)))
        if v + t < 1:
            return int(length * (1 - v - t)), int(length * (1 - t))
    raise UsageError(
        f"`validation` and `test` must be at least 0 and together below 1; got {validation:g} and {test:g}."
    )


def split(ids: Ids, validation: float, test: float = 0.0) -> tuple[Ids, Ids, Ids]:
    """(train, validation, test): contiguous views of `ids`, in this order; none is read from a file."""
    first, second = cuts(len(ids), validation, test)
    if isinstance(ids, IdFile):
        return ids.part(0, first), ids.part(first, second), ids.part(second, len(ids))
    return ids[:first], ids[first:second], ids[second:]


class SequentialStream:
    """The text read in order by B readers at once, T characters each an update.

    Of N ids, reader b has those from b·S on, S = floor((N − 1) / B): an epoch is floor(S / T) =
    floor((N − 1) / (T·B)) updates, and what remains of each reader's part is dropped. Then all begin again;
    `at_epoch_start` says so, and whoever carries a state from update to update must set it to zero there.

    Raises UsageError for T or B below 1, TextError where the ids do not give one update.
    """

    def __init__(self, ids: Ids, sequence_length: int, batch_size: int) -> None:
        if sequence_length < 1 or batch_size < 1:
            raise UsageError(
                f"`sequence_length` and `batch_size` must be at least 1; got {sequence_length} and {batch_size}."
            )
        self.sequence_length = sequence_length
        self.batch_size = batch_size
        span = max(len(ids) - 1, 0) // batch_size
        self.updates_per_epoch = span // sequence_length
        if self.updates_per_epoch == 0:
            raise TextError(
                f"one update needs {sequence_length * batch_size + 1:,} characters "
                f"({sequence_length:,} · {batch_size:,} + 1); got {len(ids):,}."
            )
        self._ids, self._span = ids, span
        self._cursor = Cursor(0, 0)

    @property
    def cursor(self) -> Cursor:
        """Where the next `take` begins; CheckpointError where one that is set does not fit this text."""
        return self._cursor

    @cursor.setter
    def cursor(self, cursor: tuple[int, int]) -> None:
        epoch, position = cursor
        if epoch < 0 or not 0 <= position < self.updates_per_epoch:
            raise CheckpointError(
                f"the saved place in the text, update {position} of epoch {epoch}, does not exist: "
                f"an epoch of this text has {self.updates_per_epoch:,} updates."
            )
        self._cursor = Cursor(int(epoch), int(position))

    @property
    def at_epoch_start(self) -> bool:
        """Whether the next `take` begins the text anew."""
        return self._cursor.position == 0

    def take(self, n: int) -> Chunk:
        """The next n updates, or fewer where the epoch ends sooner: a C-contiguous view, for B > 1 a copy."""
        if n < 1:
            raise UsageError(f"`n` must be at least 1; got {n}.")
        epoch, start = self._cursor
        stop = min(start + n, self.updates_per_epoch)
        block = self._read(start * self.sequence_length, stop * self.sequence_length + 1)
        shape = (stop - start, self.sequence_length, self.batch_size)
        chunk = Chunk(block[:-1].reshape(shape), block[1:].reshape(shape))
        self._cursor = Cursor(epoch, stop) if stop < self.updates_per_epoch else Cursor(epoch + 1, 0)
        return chunk

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        """What each reader has from `start` to `stop`: (stop − start, B), C-contiguous."""
        begins = [reader * self._span for reader in range(self.batch_size)]
        parts = [self._ids[begin + start : begin + stop] for begin in begins]
        return np.ascontiguousarray(parts[0][:, np.newaxis]) if len(parts) == 1 else np.stack(parts, axis=-1)

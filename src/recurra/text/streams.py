"""Ids → inputs and targets of shape (n, T, B), in one of three orders, with a cursor that can be saved; splits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from recurra import randomness
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


class TextStream(ABC):
    """Updates of B chunks of T characters: what they are is a function of seed, epoch and position alone.

    Of N ids an epoch is floor((N − 1) / (T·B)) updates in any order. Where an order `carries`, each chunk of an update
    goes on where that of the update before ended, but `at_epoch_start`: there the state must be set to zero. Where it
    does not, every update begins with a zero state.

    Raises UsageError for T or B below 1, TextError where the ids do not give one update.
    """

    carries: ClassVar[bool]

    def __init__(self, ids: Ids, sequence_length: int, batch_size: int, seed: int = 0) -> None:
        if sequence_length < 1 or batch_size < 1:
            raise UsageError(
                f"`sequence_length` and `batch_size` must be at least 1; got {sequence_length} and {batch_size}."
            )
        self.sequence_length = sequence_length
        self.batch_size = batch_size
        self.updates_per_epoch = max(len(ids) - 1, 0) // (sequence_length * batch_size)
        if self.updates_per_epoch == 0:
            raise TextError(
                f"one update needs {sequence_length * batch_size + 1:,} characters "
                f"({sequence_length:,} · {batch_size:,} + 1); got {len(ids):,}."
            )
        self._ids, self._seed = ids, seed
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
        """Whether the next `take` begins an epoch."""
        return self._cursor.position == 0

    def take(self, n: int) -> Chunk:
        """The next n updates, or fewer where the epoch ends sooner; both arrays are C-contiguous."""
        if n < 1:
            raise UsageError(f"`n` must be at least 1; got {n}.")
        epoch, start = self._cursor
        stop = min(start + n, self.updates_per_epoch)
        chunk = self._read(epoch, start, stop)
        self._cursor = Cursor(epoch, stop) if stop < self.updates_per_epoch else Cursor(epoch + 1, 0)
        return chunk

    @abstractmethod
    def _read(self, epoch: int, start: int, stop: int) -> Chunk:
        """Updates `start` to `stop` of `epoch`."""

    def _beside(self, begins: NDArray[np.int64], length: int) -> NDArray[Any]:
        """The ids from each of `begins` on, side by side: (length, begins), C-contiguous."""
        parts = [self._ids[begin : begin + length] for begin in begins.tolist()]
        return np.ascontiguousarray(parts[0][:, np.newaxis]) if len(parts) == 1 else np.stack(parts, axis=-1)


class SequentialStream(TextStream):
    """The text read in order by B readers at once, the same in every epoch.

    Reader b has the ids from b·S on, S = floor((N − 1) / B), and what remains of each reader's part is dropped. One
    reader copies nothing where the ids are in memory: it gives views of them.
    """

    carries = True

    def _read(self, epoch: int, start: int, stop: int) -> Chunk:  # noqa: ARG002 - all epochs are alike
        T, B = self.sequence_length, self.batch_size
        span = (len(self._ids) - 1) // B
        block = self._beside(np.arange(B) * span + start * T, (stop - start) * T + 1)
        shape = (stop - start, T, B)
        return Chunk(block[:-1].reshape(shape), block[1:].reshape(shape))


class _ScatteredStream(TextStream):
    """Chunks from anywhere in the text, so that each begins with a zero state."""

    carries = False

    def _read(self, epoch: int, start: int, stop: int) -> Chunk:
        T, B = self.sequence_length, self.batch_size
        block = self._beside(self._starts(epoch, start, stop), T + 1).reshape(T + 1, stop - start, B)
        updates = np.ascontiguousarray(block.transpose(1, 0, 2))
        return Chunk(np.ascontiguousarray(updates[:, :-1]), np.ascontiguousarray(updates[:, 1:]))

    @abstractmethod
    def _starts(self, epoch: int, start: int, stop: int) -> NDArray[np.int64]:
        """Where the chunks of updates `start` to `stop` of `epoch` begin: ((stop − start) · B,)."""


class ShuffledStream(_ScatteredStream):
    """The floor((N − 1) / T) chunks of the text in a new order every epoch, none twice.

    The last chunks of the order, too few for an update, are dropped: other ones in every epoch.
    """

    def __init__(self, ids: Ids, sequence_length: int, batch_size: int, seed: int = 0) -> None:
        super().__init__(ids, sequence_length, batch_size, seed)
        self._shuffled = -1, np.zeros(0, np.int64)  # an epoch and its order, kept while it lasts

    def _starts(self, epoch: int, start: int, stop: int) -> NDArray[np.int64]:
        if self._shuffled[0] != epoch:
            self._shuffled = epoch, self._order(epoch)
        return self._shuffled[1][start * self.batch_size : stop * self.batch_size] * self.sequence_length

    def _order(self, epoch: int) -> NDArray[np.int64]:
        chunks = (len(self._ids) - 1) // self.sequence_length
        words = randomness.stream(self._seed, "shuffled order", epoch * chunks).words(chunks)
        return np.argsort(words, kind="stable")


class RandomStream(_ScatteredStream):
    """Chunks that begin anywhere from 0 to N − 1 − T, each drawn by itself: some characters come twice, some never."""

    def _starts(self, epoch: int, start: int, stop: int) -> NDArray[np.int64]:
        drawn = (epoch * self.updates_per_epoch + start) * self.batch_size
        numbers = randomness.stream(self._seed, "random order", drawn).uniform((stop - start) * self.batch_size)
        return (numbers * (len(self._ids) - self.sequence_length)).astype(np.int64)


STREAMS: dict[str, type[TextStream]] = {
    "sequential": SequentialStream,
    "shuffled": ShuffledStream,
    "random": RandomStream,
}

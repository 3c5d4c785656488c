"""Ids → inputs and targets of shape (n, T, B), in one of three orders, with a cursor that can be saved; splits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from recurra.errors import CheckpointError, TextError, UsageError
from recurra.system import random_streams
from recurra.text.id_file import IdFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.text.id_file import Ids


PADDING = -1


class Cursor(NamedTuple):
    """A place in the reading: complete epochs, and complete updates of the epoch that is under way."""

    epoch: int
    position: int


class Chunk(NamedTuple):
    """n updates: `targets[i, t, b]` is the id that follows `inputs[i, t, b]` in the text; both (n, T, B).

    Where a document has ended, the target is `PADDING`: the engines give it no loss and no gradient.
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]


def split_points(length: int, validation: float, test: float = 0.0) -> tuple[int, int]:
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


def split(ids: Ids, validation: float, test: float = 0.0, *, newline: int | None = None) -> tuple[Ids, Ids, Ids]:
    """(train, validation, test): contiguous views of `ids`, in this order; none is read from a file.

    With the id of `newline`, which wants ids in memory, the cuts are moved back to where their lines begin: no line is
    on both sides of one.
    """
    first, second = split_points(len(ids), validation, test)
    if isinstance(ids, IdFile):
        return ids.part(0, first), ids.part(first, second), ids.part(second, len(ids))
    if newline is not None:
        first, second = (_line_start(ids, place, newline) for place in (first, second))
    return ids[:first], ids[first:second], ids[second:]


def _line_start(ids: NDArray[Any], place: int, newline: int) -> int:
    """Where the line of `place` begins; the end of the ids is a place of its own."""
    if place == len(ids):
        return place
    before = np.flatnonzero(ids[:place] == newline)
    return int(before[-1]) + 1 if len(before) else 0


class TextStream(ABC):
    """Updates of B chunks of T characters: what they are is a function of seed, epoch and position alone.

    Of N ids an epoch is floor((N − 1) / (T·B)) updates, unless told otherwise. Where an order `carries`, each chunk of
    an update goes on where that of the update before ended, but `at_epoch_start`: there the state must be set to zero.
    Where it does not, every update begins with a zero state.

    A process that trains a `part` of the streams reads no others: its chunks have b of the B. After a `take` there is
    `characters`, how many each update predicts in all streams. `before_take(cursor, n)` is told of each.

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
        self.part = slice(0, batch_size)
        self.characters: NDArray[np.int64] = np.zeros(0, np.int64)
        self.before_take: Callable[[Cursor, int], None] | None = None
        self._ids, self._seed = ids, seed
        self._cursor = Cursor(0, 0)
        self.updates_per_epoch = self._count_updates()

    def _count_updates(self) -> int:
        characters = self.sequence_length * self.batch_size
        updates = max(len(self._ids) - 1, 0) // characters
        if updates == 0:
            raise TextError(
                f"one update needs {characters + 1:,} characters "
                f"({self.sequence_length:,} · {self.batch_size:,} + 1); got {len(self._ids):,}."
            )
        return updates

    @property
    def characters_per_update(self) -> int:
        """T · B; for documents, whose updates differ, the mean, rounded."""
        return self.sequence_length * self.batch_size

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
        if self.before_take is not None:
            self.before_take(self._cursor, n)
        epoch, start = self._cursor
        stop = min(start + n, self.updates_per_epoch)
        chunk = self._read(epoch, start, stop)
        self.characters = self._predicted(epoch, start, stop)
        self._cursor = Cursor(epoch, stop) if stop < self.updates_per_epoch else Cursor(epoch + 1, 0)
        return chunk

    @abstractmethod
    def _read(self, epoch: int, start: int, stop: int) -> Chunk:
        """Updates `start` to `stop` of `epoch`."""

    def _predicted(self, epoch: int, start: int, stop: int) -> NDArray[np.int64]:  # noqa: ARG002 - documents need it
        """How many characters each of these updates predicts."""
        return np.full(stop - start, self.sequence_length * self.batch_size)

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
        T, readers = self.sequence_length, np.arange(self.batch_size)[self.part]
        span = (len(self._ids) - 1) // self.batch_size
        block = self._beside(readers * span + start * T, (stop - start) * T + 1)
        shape = (stop - start, T, len(readers))
        return Chunk(block[:-1].reshape(shape), block[1:].reshape(shape))


class _ScatteredStream(TextStream):
    """Chunks from anywhere in the text, so that each begins with a zero state."""

    carries = False

    def _read(self, epoch: int, start: int, stop: int) -> Chunk:
        T = self.sequence_length
        starts = self._starts(epoch, start, stop).reshape(stop - start, self.batch_size)[:, self.part]
        block = self._beside(starts.ravel(), T + 1).reshape(T + 1, *starts.shape)
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
        self._order = lru_cache(maxsize=1)(self._draw)  # that of an epoch is kept while it lasts

    def _starts(self, epoch: int, start: int, stop: int) -> NDArray[np.int64]:
        return self._order(epoch)[start * self.batch_size : stop * self.batch_size] * self.sequence_length

    def _draw(self, epoch: int) -> NDArray[np.int64]:
        chunks = (len(self._ids) - 1) // self.sequence_length
        words = random_streams.stream(self._seed, "shuffled order", epoch * chunks).words(chunks)
        return np.argsort(words, kind="stable")


class RandomStream(_ScatteredStream):
    """Chunks that begin anywhere from 0 to N − 1 − T, each drawn by itself: some characters come twice, some never."""

    def _starts(self, epoch: int, start: int, stop: int) -> NDArray[np.int64]:
        drawn = (epoch * self.updates_per_epoch + start) * self.batch_size
        numbers = random_streams.stream(self._seed, "random order", drawn).uniform((stop - start) * self.batch_size)
        return (numbers * (len(self._ids) - self.sequence_length)).astype(np.int64)


class DocumentStream(TextStream):
    """Each line that is not empty is a document: a newline before it, its characters as targets, and one at its end.

    Every document begins with a zero state. One of more than T targets is cut into pieces of T; each later piece begins
    with a zero state too, at the character before it: nothing further back is remembered. An update has B pieces of
    nearly the same length, and as many steps as the longest; shorter ones, and streams without one, are filled with
    `PADDING`. Every epoch has every piece once: equal lengths are mixed anew, and the updates come in a new order.

    Raises TextError where no line has a character.
    """

    carries = False

    def __init__(
        self, ids: NDArray[Any], sequence_length: int, batch_size: int, seed: int = 0, *, newline: int
    ) -> None:
        self._newline = newline
        edge = np.full(1, newline, ids.dtype)
        self._lines: NDArray[Any] = np.concatenate([edge, ids, edge])
        super().__init__(self._lines, sequence_length, batch_size, seed)
        self._batches = lru_cache(maxsize=1)(self._draw)  # those of an epoch are kept while it lasts

    def _count_updates(self) -> int:
        ends = np.flatnonzero(self._lines == self._newline)
        lengths = np.diff(ends)  # of a line with the newline at its end; 1: it is empty
        starts, lengths = ends[:-1][lengths > 1], lengths[lengths > 1]
        if len(starts) == 0:
            raise TextError("no line has a character: there is no document to learn from.")
        pieces = -(-lengths // self.sequence_length)
        number = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)  # within its document
        offsets = number * self.sequence_length
        self._starts = np.repeat(starts, pieces) + offsets
        self._lengths = np.minimum(np.repeat(lengths, pieces) - offsets, self.sequence_length)
        return -(-len(self._starts) // self.batch_size)

    @property
    def characters_per_update(self) -> int:
        """The mean over an epoch of the characters that are predicted, rounded."""
        return round(int(self._lengths.sum()) / self.updates_per_epoch)

    def take(self, n: int) -> Chunk:
        """The next update, however many are asked for: the next ones may have other lengths."""
        return super().take(min(n, 1))

    def _read(self, epoch: int, start: int, stop: int) -> Chunk:  # noqa: ARG002 - always one update
        lengths = self._lengths_of(epoch, start)
        steps = np.arange(lengths.max())[:, np.newaxis]
        pieces, lengths = self._batches(epoch)[start][self.part], lengths[self.part]
        inside = steps < lengths
        places = np.where(inside, self._starts[pieces] + steps, 0)  # the text begins with a newline
        targets = np.where(inside, self._lines[places + 1].astype(np.int64), PADDING)
        return Chunk(self._lines[places][np.newaxis], targets[np.newaxis])

    def _predicted(self, epoch: int, start: int, stop: int) -> NDArray[np.int64]:  # noqa: ARG002 - always one update
        return np.array([self._lengths_of(epoch, start).sum()])

    def _lengths_of(self, epoch: int, update: int) -> NDArray[np.int64]:
        """Characters of each stream of an update, (B,)."""
        pieces = self._batches(epoch)[update]
        lengths: NDArray[np.int64] = np.where(pieces == PADDING, 0, self._lengths[pieces])
        return lengths

    def _draw(self, epoch: int) -> NDArray[np.int64]:
        """The pieces of each update of `epoch`, (updates, B); `PADDING` where a stream has none."""
        pieces, updates = len(self._starts), self.updates_per_epoch
        words = random_streams.stream(self._seed, "documents", epoch * (pieces + updates)).words(pieces + updates)
        mixed = np.argsort(words[:pieces], kind="stable")
        by_length = mixed[np.argsort(self._lengths[mixed], kind="stable")]
        filled = np.pad(by_length, (0, updates * self.batch_size - pieces), constant_values=PADDING)
        return filled.reshape(updates, self.batch_size)[np.argsort(words[pieces:], kind="stable")]


STREAMS: dict[str, type[TextStream]] = {
    "sequential": SequentialStream,
    "shuffled": ShuffledStream,
    "random": RandomStream,
}

"""Batches of inputs and targets, (n, T, B), in three orders; a cursor for checkpoints; the split of a text."""

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
    """The position of a stream: complete epochs, and complete updates of the current epoch."""

    epoch: int
    position: int


class Chunk(NamedTuple):
    """The inputs and targets of n updates, (n, T, B) each.

    `targets[i, t, b]` is the id after `inputs[i, t, b]` in the text. After the end of a document the target is
    `PADDING`, which contributes neither loss nor gradient.
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]


def split_points(length: int, validation: float, test: float = 0.0) -> tuple[int, int]:
    """Return the end of the training part and the start of the test part: floor(N·(1 − v − t)), floor(N·(1 − t)).

    The calculation uses the exact decimals of v and t: in floating point, 10 · (1 − 0.9) is below 1.
    """
    if 0 <= validation < 1 and 0 <= test < 1:
        v, t = Fraction(str(float(validation))), Fraction(str(float(test)))
        if v + t < 1:
            return int(length * (1 - v - t)), int(length * (1 - t))
    raise UsageError(
        f"`validation` and `test` must be at least 0 and together below 1; got {validation:g} and {test:g}."
    )


def split(ids: Ids, validation: float, test: float = 0.0, *, newline: int | None = None) -> tuple[Ids, Ids, Ids]:
    """Split `ids` into contiguous training, validation and test parts, without reading an id file.

    With a `newline` id, each split point is moved back to the start of its line. This needs ids in memory.
    """
    first, second = split_points(len(ids), validation, test)
    if isinstance(ids, IdFile):
        return ids.part(0, first), ids.part(first, second), ids.part(second, len(ids))
    if newline is not None:
        first, second = (_line_start(ids, point, newline) for point in (first, second))
    return ids[:first], ids[first:second], ids[second:]


def _line_start(ids: NDArray[Any], point: int, newline: int) -> int:
    """Return the start of the line that contains the position `point`; the end of the ids is returned unchanged."""
    if point == len(ids):
        return point
    before = np.flatnonzero(ids[:point] == newline)
    return int(before[-1]) + 1 if len(before) else 0


class TextStream(ABC):
    """A sequence of updates, each with B streams of T characters; it depends only on seed, epoch and position.

    An epoch has floor((N − 1) / (T·B)) updates; subclasses may differ. If `carries` is True, each stream of an update
    continues the same stream of the previous update. The caller then sets the state to zero `at_epoch_start`. If
    `carries` is False, every update begins with a zero state.

    A worker process reads only its `part` of the B streams. After `take`, the array `characters` contains, for each
    update, the number of predicted characters in all B streams. `take` first calls `before_take(cursor, n)`, if it is
    set.

    Raises UsageError if T or B is below 1, TextError if the ids are too few for one update.
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
        """The number of characters of an update: T · B, or for documents the rounded mean."""
        return self.sequence_length * self.batch_size

    @property
    def cursor(self) -> Cursor:
        """The position at which the next `take` begins; a position outside this text raises CheckpointError."""
        return self._cursor

    @cursor.setter
    def cursor(self, cursor: tuple[int, int]) -> None:
        epoch, position = cursor
        if epoch < 0 or not 0 <= position < self.updates_per_epoch:
            raise CheckpointError(
                f"the saved position in the text, update {position} of epoch {epoch}, does not exist: "
                f"an epoch of this text has {self.updates_per_epoch:,} updates."
            )
        self._cursor = Cursor(int(epoch), int(position))

    @property
    def at_epoch_start(self) -> bool:
        """True if the next `take` begins an epoch."""
        return self._cursor.position == 0

    def take(self, n: int) -> Chunk:
        """Return the next n updates, or fewer at the end of an epoch; both arrays are C-contiguous."""
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
        """Return the updates `start` to `stop` of `epoch`."""

    def _predicted(self, epoch: int, start: int, stop: int) -> NDArray[np.int64]:  # noqa: ARG002 - documents need it
        """Return the number of characters that each of the updates `start` to `stop` predicts, (stop - start,)."""
        return np.full(stop - start, self.sequence_length * self.batch_size)

    def _columns(self, starts: NDArray[np.int64], length: int) -> NDArray[Any]:
        """Return one column of `length` ids from each of `starts`: (length, starts), C-contiguous."""
        parts = [self._ids[start : start + length] for start in starts.tolist()]
        return np.ascontiguousarray(parts[0][:, np.newaxis]) if len(parts) == 1 else np.stack(parts, axis=-1)


class SequentialStream(TextStream):
    """The text in order, in B parallel streams. Every epoch has the same updates.

    Stream b begins at id b·S, S = floor((N − 1) / B); the rest of each stream that does not fill an update is dropped.
    With B = 1 and ids in memory, the arrays are views, not copies.
    """

    carries = True

    def _read(self, epoch: int, start: int, stop: int) -> Chunk:  # noqa: ARG002 - all epochs are alike
        T, streams = self.sequence_length, np.arange(self.batch_size)[self.part]
        span = (len(self._ids) - 1) // self.batch_size
        block = self._columns(streams * span + start * T, (stop - start) * T + 1)
        shape = (stop - start, T, len(streams))
        return Chunk(block[:-1].reshape(shape), block[1:].reshape(shape))


class _ScatteredStream(TextStream):
    """Chunks from different positions of the text, each with a zero initial state."""

    carries = False

    def _read(self, epoch: int, start: int, stop: int) -> Chunk:
        T = self.sequence_length
        starts = self._starts(epoch, start, stop).reshape(stop - start, self.batch_size)[:, self.part]
        block = self._columns(starts.ravel(), T + 1).reshape(T + 1, *starts.shape)
        updates = np.ascontiguousarray(block.transpose(1, 0, 2))
        return Chunk(np.ascontiguousarray(updates[:, :-1]), np.ascontiguousarray(updates[:, 1:]))

    @abstractmethod
    def _starts(self, epoch: int, start: int, stop: int) -> NDArray[np.int64]:
        """Return the start in the text of each chunk of the updates `start` to `stop`: ((stop − start) · B,)."""


class ShuffledStream(_ScatteredStream):
    """The floor((N − 1) / T) chunks of the text in a new order in every epoch, each at most once.

    Chunks that remain at the end of an epoch and do not fill an update are dropped; they differ from epoch to epoch.
    """

    def __init__(self, ids: Ids, sequence_length: int, batch_size: int, seed: int = 0) -> None:
        super().__init__(ids, sequence_length, batch_size, seed)
        self._order = lru_cache(maxsize=1)(self._draw)  # the order of the current epoch

    def _starts(self, epoch: int, start: int, stop: int) -> NDArray[np.int64]:
        return self._order(epoch)[start * self.batch_size : stop * self.batch_size] * self.sequence_length

    def _draw(self, epoch: int) -> NDArray[np.int64]:
        chunks = (len(self._ids) - 1) // self.sequence_length
        words = random_streams.stream(self._seed, "shuffled order", epoch * chunks).words(chunks)
        return np.argsort(words, kind="stable")


class RandomStream(_ScatteredStream):
    """Chunks with independent random starts from 0 to N − 1 − T: some characters are read twice, some never."""

    def _starts(self, epoch: int, start: int, stop: int) -> NDArray[np.int64]:
        drawn = (epoch * self.updates_per_epoch + start) * self.batch_size
        numbers = random_streams.stream(self._seed, "random order", drawn).uniform((stop - start) * self.batch_size)
        return (numbers * (len(self._ids) - self.sequence_length)).astype(np.int64)


class DocumentStream(TextStream):
    """Documents: lines that are not empty, each read from a zero state.

    The first input of a document is a newline; the targets are the characters of the document and the newline at its
    end. A document with more than T targets is cut into pieces of T targets, and each piece begins with a zero state.
    An update has B pieces of similar length, and as many steps as the longest piece; `PADDING` fills the shorter pieces
    and streams without a piece. Each epoch reads every piece once. In each epoch, pieces of equal length are shuffled
    first, and the updates afterwards.

    Raises TextError if all lines are empty.
    """

    carries = False

    def __init__(
        self, ids: NDArray[Any], sequence_length: int, batch_size: int, seed: int = 0, *, newline: int
    ) -> None:
        self._newline = newline
        edge = np.full(1, newline, ids.dtype)
        self._lines: NDArray[Any] = np.concatenate([edge, ids, edge])
        super().__init__(self._lines, sequence_length, batch_size, seed)
        self._batches = lru_cache(maxsize=1)(self._draw)  # the batches of the current epoch

    def _count_updates(self) -> int:
        ends = np.flatnonzero(self._lines == self._newline)
        lengths = np.diff(ends)  # of the lines, including the newline; 1 is an empty line
        starts, lengths = ends[:-1][lengths > 1], lengths[lengths > 1]
        if len(starts) == 0:
            raise TextError("no line has a character: there is no document to learn from.")
        pieces = -(-lengths // self.sequence_length)
        number = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)  # of a piece in its document
        offsets = number * self.sequence_length
        self._starts = np.repeat(starts, pieces) + offsets
        self._lengths = np.minimum(np.repeat(lengths, pieces) - offsets, self.sequence_length)
        return -(-len(self._starts) // self.batch_size)

    @property
    def characters_per_update(self) -> int:
        """The mean number of predicted characters of an update over an epoch, rounded."""
        return round(int(self._lengths.sum()) / self.updates_per_epoch)

    def take(self, n: int) -> Chunk:
        """Return one update for any n, because the next update may have another length."""
        return super().take(min(n, 1))

    def _read(self, epoch: int, start: int, stop: int) -> Chunk:  # noqa: ARG002 - always one update
        lengths = self._lengths_of(epoch, start)
        steps = np.arange(lengths.max())[:, np.newaxis]
        pieces, lengths = self._batches(epoch)[start][self.part], lengths[self.part]
        inside = steps < lengths
        positions = np.where(inside, self._starts[pieces] + steps, 0)  # the text begins with a newline
        targets = np.where(inside, self._lines[positions + 1].astype(np.int64), PADDING)
        return Chunk(self._lines[positions][np.newaxis], targets[np.newaxis])

    def _predicted(self, epoch: int, start: int, stop: int) -> NDArray[np.int64]:  # noqa: ARG002 - always one update
        return np.array([self._lengths_of(epoch, start).sum()])

    def _lengths_of(self, epoch: int, update: int) -> NDArray[np.int64]:
        """Return the number of characters of each stream of an update, (B,)."""
        pieces = self._batches(epoch)[update]
        lengths: NDArray[np.int64] = np.where(pieces == PADDING, 0, self._lengths[pieces])
        return lengths

    def _draw(self, epoch: int) -> NDArray[np.int64]:
        """Return the index of each stream's piece in the updates of `epoch`, (updates, B); `PADDING` if it has none."""
        pieces, updates = len(self._starts), self.updates_per_epoch
        words = random_streams.stream(self._seed, "documents", epoch * (pieces + updates)).words(pieces + updates)
        shuffled = np.argsort(words[:pieces], kind="stable")
        by_length = shuffled[np.argsort(self._lengths[shuffled], kind="stable")]
        filled = np.pad(by_length, (0, updates * self.batch_size - pieces), constant_values=PADDING)
        return filled.reshape(updates, self.batch_size)[np.argsort(words[pieces:], kind="stable")]


STREAMS: dict[str, type[TextStream]] = {
    "sequential": SequentialStream,
    "shuffled": ShuffledStream,
    "random": RandomStream,
}

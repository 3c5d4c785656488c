"""The thread in which a model reads: what it expected before each symbol of a text, a piece at a time.

Whoever has a long text read waits between its pieces like everybody else, and the event loop waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar

import numpy as np

from recurra.inference.scoring import CHUNK
from recurra.inference.surprise import Steady
from recurra.serving.refusals import STOPPING, busy, unavailable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.model import LanguageModel

    Ids = NDArray[np.integer]

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")
PIECE = 8 * CHUNK  # symbols that are read before another text has its turn


class Rows(NamedTuple):
    """Of N symbols log p of each (N,), and the k that were likeliest there: ids (N, k), and log p (N, k), falling."""

    logs: NDArray[np.floating]
    likeliest: NDArray[np.int64]
    their_logs: NDArray[np.float32]


class Reader:
    """A model's thread for reading. Its methods are called in the event loop."""

    def __init__(self, model: LanguageModel, name: str, queue: int) -> None:
        self.model, self._queue = model, queue
        self._waiting, self._closed = 0, False
        self._pool = ThreadPoolExecutor(1, f"reader {name}")

    async def call(
        self, work: Callable[Arguments, Result], *given: Arguments.args, **named: Arguments.kwargs
    ) -> Result:
        """Have `work` done in the thread; Refusal where too many wait for it."""
        if self._closed:
            raise unavailable(STOPPING)
        if self._waiting >= self._queue:
            raise busy(f"{self._waiting} texts wait to be read; try again soon.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: work(*given, **named))
        except asyncio.CancelledError:
            if self._closed:  # it waited for the thread, which has ended
                raise unavailable(STOPPING) from None
            raise
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End, without what waits."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def join(self) -> None:
        """Wait for the thread to end, after `close`: it ends with the piece that it reads."""
        self._pool.shutdown()


class Reading:
    """A text on its way through a reader's network, from a zero state: `read` goes on where it stopped.

    The first symbol of all is given, and told nothing of; a model of documents reads a newline before it, and expects
    something of every symbol.
    """

    def __init__(self, reader: Reader, likeliest: int) -> None:
        self._reader, self._likeliest = reader, likeliest
        self._state = reader.model.zero_state()
        before = reader.model.document_end
        self._last = np.array([] if before is None else [before], np.int64)

    def copy(self) -> Reading:
        """Another that goes on from here."""
        other = Reading(self._reader, self._likeliest)
        other._state, other._last = self._state, self._last
        return other

    async def read(self, ids: Ids) -> Rows:
        """What was expected before each of `ids` (N,); of the first of all, nothing."""
        parts = [await self._reader.call(self._part, ids[at : at + PIECE]) for at in range(0, len(ids), PIECE)]
        return joined(parts, min(self._likeliest, len(self._reader.model.vocabulary)))

    def _part(self, ids: Ids) -> Rows:
        line, parts, done = np.concatenate([self._last, ids]), [], 0
        model = self._reader.model
        predictor = Steady(model.reader, self._state, model.document_end)
        for logs in predictor.read(line[:-1], line[1:]):
            targets = line[done + 1 : done + len(logs) + 1]
            parts.append(rows_of(logs, targets, self._likeliest))
            done += len(logs)
        self._state, self._last = predictor.state, line[-1:]
        return joined(parts, min(self._likeliest, len(self._reader.model.vocabulary)))


def rows_of(logs: NDArray[np.float32], targets: Ids, likeliest: int) -> Rows:
    """The rows of `targets` (N,) where `logs` (N, K) was expected; of equally likely ones the first come first."""
    order = np.argsort(-logs, axis=1, kind="stable")[:, :likeliest] if likeliest else np.zeros((len(logs), 0), np.int64)
    return Rows(logs[np.arange(len(logs)), targets], order, np.take_along_axis(logs, order, 1))


def joined(parts: list[Rows], likeliest: int) -> Rows:
    """One after the other."""
    none = Rows(np.zeros(0, np.float32), np.zeros((0, likeliest), np.int64), np.zeros((0, likeliest), np.float32))
    return Rows(*(np.concatenate(field) for field in zip(none, *parts, strict=True)))

"""The queue and the worker thread in which a model scores: log p of each symbol of a text, a block at a time.

A long text waits between its blocks like every other text, so that none holds the thread, and the event loop never
waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar

import numpy as np

from recurra.inference.scoring import CHUNK
from recurra.inference.surprise import StaticPredictor
from recurra.serving.responses import queue_full, stopping

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.model import LanguageModel

    Ids = NDArray[np.integer]

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")
BLOCK_SYMBOLS = 8 * CHUNK  # that the thread scores before it turns to another text


class ScoredSymbols(NamedTuple):
    """The log-probabilities at N places, in nats.

    logs       (N,): log p of the symbol at the place
    top_ids    (N, k): the likeliest symbols there, the likeliest first
    top_logs   (N, k): their log p
    """

    logs: NDArray[np.floating]
    top_ids: NDArray[np.int64]
    top_logs: NDArray[np.float32]


class ScoringQueue:
    """The queue and the worker thread of one model. Its methods are called in the event loop."""

    def __init__(self, model: LanguageModel, name: str, capacity: int) -> None:
        self.model, self._capacity = model, capacity
        self._waiting, self._closed = 0, False
        self._pool = ThreadPoolExecutor(1, f"scoring {name}")

    async def run(self, work: Callable[Arguments, Result], *given: Arguments.args, **named: Arguments.kwargs) -> Result:
        """Run `work` in the thread and return its result; HTTPError if the queue is full or closed."""
        if self._closed:
            raise stopping()
        if self._waiting >= self._capacity:
            raise queue_full(f"{self._waiting} texts wait to be read; try again soon.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: work(*given, **named))
        except asyncio.CancelledError:
            if self._closed:  # `close` has canceled the work, not the client
                raise stopping() from None
            raise
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the thread and cancel the work that waits for it."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def join(self) -> None:
        """Wait for the thread to end, after `close`: it ends with the block that it scores."""
        self._pool.shutdown()


class IncrementalScorer:
    """Scores one text in consecutive parts, from a zero state; `top_count` likeliest symbols are found at each place.

    The first symbol of the text is given, and has no log p. A model of documents reads a newline before it; then every
    symbol has one.
    """

    def __init__(self, queue: ScoringQueue, top_count: int) -> None:
        self._queue, self._top_count = queue, top_count
        self._state = queue.model.zero_state()
        before = queue.model.document_end
        self._last = np.array([] if before is None else [before], np.int64)

    def copy(self) -> IncrementalScorer:
        """Return another scorer that continues from the same place."""
        other = IncrementalScorer(self._queue, self._top_count)
        other._state, other._last = self._state, self._last
        return other

    async def score(self, ids: Ids) -> ScoredSymbols:
        """Score the next part of the text, `ids` (N,); the first symbol of the text has no row."""
        starts = range(0, len(ids), BLOCK_SYMBOLS)
        return self._joined([await self._queue.run(self._block, ids[at : at + BLOCK_SYMBOLS]) for at in starts])

    def _block(self, ids: Ids) -> ScoredSymbols:
        line, parts, done = np.concatenate([self._last, ids]), [], 0
        model = self._queue.model
        predictor = StaticPredictor(model.reader, self._state, model.document_end)
        for logs in predictor.read(line[:-1], line[1:]):
            targets = line[done + 1 : done + len(logs) + 1]
            parts.append(scored_symbols(logs, targets, self._top_count))
            done += len(logs)
        self._state, self._last = predictor.state, line[-1:]
        return self._joined(parts)

    def _joined(self, parts: list[ScoredSymbols]) -> ScoredSymbols:
        shape = (0, min(self._top_count, len(self._queue.model.vocabulary)))
        none = ScoredSymbols(np.zeros(0, np.float32), np.zeros(shape, np.int64), np.zeros(shape, np.float32))
        return ScoredSymbols(*(np.concatenate(field) for field in zip(none, *parts, strict=True)))


def scored_symbols(logs: NDArray[np.float32], targets: Ids, top_count: int) -> ScoredSymbols:
    """Return the scores of `targets` (N,) from `logs` (N, K); of equally likely symbols the lower id comes first."""
    empty = np.zeros((len(logs), 0), np.int64)
    order = np.argsort(-logs, axis=1, kind="stable")[:, :top_count] if top_count else empty
    return ScoredSymbols(logs[np.arange(len(logs)), targets], order, np.take_along_axis(logs, order, 1))

"""The queue and the worker thread that compute log p of each symbol of a text, block by block.

After each block a text goes to the end of the queue, so that a long text does not delay the other texts much. The
event loop never blocks.
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
BLOCK_SYMBOLS = 8 * CHUNK  # symbols that the thread scores before it continues with another text


class ScoredSymbols(NamedTuple):
    """The log-probabilities at N positions of a text, in nats.

    Attributes:
        logs: (N,), log p of the symbol at each position.
        top_ids: (N, k), ids of the likeliest symbols at each position, the likeliest first.
        top_logs: (N, k), their log p.
    """

    logs: NDArray[np.floating]
    top_ids: NDArray[np.int64]
    top_logs: NDArray[np.float32]


class ScoringQueue:
    """The queue and the worker thread of one model. Call its methods in the event loop."""

    def __init__(self, model: LanguageModel, name: str, capacity: int) -> None:
        self.model, self._capacity = model, capacity
        self._waiting, self._closed = 0, False
        self._pool = ThreadPoolExecutor(1, f"scoring {name}")

    async def run(self, work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Run `work` in the thread and return its result.

        Raises: HTTPError if the queue is full or closed.
        """
        if self._closed:
            raise stopping()
        if self._waiting >= self._capacity:
            raise queue_full(
                f"{self._waiting} texts wait for scoring, and the maximum is {self._capacity}; try again soon."
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: work(*args, **kwargs))
        except asyncio.CancelledError:
            if self._closed:  # `close` canceled the work; the client is still connected
                raise stopping() from None
            raise
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Stop the thread and cancel the queued work."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def join(self) -> None:
        """Wait until the thread has ended. Call it after `close`; the thread finishes the current block first."""
        self._pool.shutdown()


class IncrementalScorer:
    """A scorer of one text in consecutive parts, from a zero state.

    The result has the `top_count` likeliest symbols at each position. The first symbol of the text has no log p. A
    model that was trained on documents reads a newline before the text; then every symbol has a log p.
    """

    def __init__(self, queue: ScoringQueue, top_count: int) -> None:
        self._queue, self._top_count = queue, top_count
        self._state = queue.model.zero_state()
        before = queue.model.document_end
        self._last = np.array([] if before is None else [before], np.int64)

    def copy(self) -> IncrementalScorer:
        """Return a copy that continues from the same position, independently of this scorer."""
        other = IncrementalScorer(self._queue, self._top_count)
        other._state, other._last = self._state, self._last
        return other

    async def score(self, ids: Ids) -> ScoredSymbols:
        """Score the next part of the text, `ids` (N,). The result has no row for the first symbol of the text."""
        starts = range(0, len(ids), BLOCK_SYMBOLS)
        return self._joined([await self._queue.run(self._block, ids[at : at + BLOCK_SYMBOLS]) for at in starts])

    def _block(self, ids: Ids) -> ScoredSymbols:
        symbols, parts, done = np.concatenate([self._last, ids]), [], 0
        model = self._queue.model
        predictor = StaticPredictor(model.reader, self._state, model.document_end)
        for logs in predictor.read(symbols[:-1], symbols[1:]):
            targets = symbols[done + 1 : done + len(logs) + 1]
            parts.append(scored_symbols(logs, targets, self._top_count))
            done += len(logs)
        self._state, self._last = predictor.state, symbols[-1:]
        return self._joined(parts)

    def _joined(self, parts: list[ScoredSymbols]) -> ScoredSymbols:
        shape = (0, min(self._top_count, len(self._queue.model.vocabulary)))
        none = ScoredSymbols(np.zeros(0, np.float32), np.zeros(shape, np.int64), np.zeros(shape, np.float32))
        return ScoredSymbols(*(np.concatenate(field) for field in zip(none, *parts, strict=True)))


def scored_symbols(logs: NDArray[np.float32], targets: Ids, top_count: int) -> ScoredSymbols:
    """Return the scores of `targets` (N,) from `logs` (N, K); of two equally likely symbols, the lower id is first."""
    empty = np.zeros((len(logs), 0), np.int64)
    order = np.argsort(-logs, axis=1, kind="stable")[:, :top_count] if top_count else empty
    return ScoredSymbols(logs[np.arange(len(logs)), targets], order, np.take_along_axis(logs, order, 1))

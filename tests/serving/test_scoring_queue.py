"""The scoring queue: log-probabilities of the model, a full queue, and the end of the worker thread."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from recurra import LanguageModel
from recurra.serving.responses import HTTPError
from recurra.serving.scoring_queue import BLOCK_SYMBOLS, IncrementalScorer, ScoringQueue
from serving_client import run

TEXT = "In the beginning was the word, and a word was at the end.\n" * 80


def test_text_in_parts_scores_as_the_whole_text(model: LanguageModel) -> None:
    ids = model.vocabulary.encode(TEXT)
    assert len(ids) > 2 * BLOCK_SYMBOLS
    expected, _ = model.reader.log_probabilities(ids[:-1], model.zero_state())

    async def work() -> None:
        queue = ScoringQueue(model, "small", 10)
        scorer, at = IncrementalScorer(queue, 3), 0
        parts = []
        for n in (1, 5, 300, len(ids)):
            rows = await scorer.score(ids[at : at + n])
            parts.append(rows)
            at += n
        copy, rest = scorer.copy(), ids[:10]
        assert np.array_equal((await scorer.score(rest)).logs, (await copy.score(rest)).logs)
        logs = np.concatenate([part.logs for part in parts])
        assert np.array_equal(logs, expected[np.arange(len(ids) - 1), ids[1:]])
        assert np.array_equal(np.concatenate([part.top_logs for part in parts]), -np.sort(-expected, axis=1)[:, :3])
        queue.close()

    run(work())


def test_full_queue_and_closed_queue_reject_work(model: LanguageModel) -> None:
    async def work() -> None:
        queue, going = ScoringQueue(model, "small", 2), threading.Event()
        first = asyncio.ensure_future(queue.run(going.wait, 30))
        second = asyncio.ensure_future(queue.run(len, "ab"))
        await asyncio.sleep(0)
        with pytest.raises(HTTPError, match="2 texts wait for scoring, and the maximum is 2; try again soon") as caught:
            await queue.run(len, "")
        assert caught.value.status == 429
        queue.close()
        with pytest.raises(HTTPError, match="the server is shutting down"):
            await second
        with pytest.raises(HTTPError, match="the server is shutting down"):
            await queue.run(len, "")
        going.set()
        assert await first

    run(work())


def test_canceled_client_gets_no_error_of_the_server(model: LanguageModel) -> None:
    async def work() -> None:
        queue, going = ScoringQueue(model, "small", 2), threading.Event()
        waiting = asyncio.ensure_future(queue.run(going.wait, 30))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        going.set()
        assert await queue.run(len, "abc") == 3
        queue.close()

    run(work())

"""The thread that reads: what it tells is the model's, its queue has an end, and so has it."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from recurra import LanguageModel
from recurra.serving.reader import PIECE, Reader, Reading
from recurra.serving.refusals import Refusal
from serving_client import run

TEXT = "In the beginning was the word, and a word was at the end.\n" * 80


def test_a_text_in_pieces_is_the_text_in_one(model: LanguageModel) -> None:
    ids = model.vocabulary.encode(TEXT)
    assert len(ids) > 2 * PIECE
    expected, _ = model.reader.log_probabilities(ids[:-1], model.zero_state())

    async def work() -> None:
        reader = Reader(model, "small", 10)
        reading, at = Reading(reader, 3), 0
        parts = []
        for n in (1, 5, 300, len(ids)):
            rows = await reading.read(ids[at : at + n])
            parts.append(rows)
            at += n
        copy, rest = reading.copy(), ids[:10]
        assert np.array_equal((await reading.read(rest)).logs, (await copy.read(rest)).logs)
        logs = np.concatenate([part.logs for part in parts])
        assert np.array_equal(logs, expected[np.arange(len(ids) - 1), ids[1:]])
        assert np.array_equal(np.concatenate([part.their_logs for part in parts]), -np.sort(-expected, axis=1)[:, :3])
        reader.close()

    run(work())


def test_the_queue_has_an_end_and_so_has_the_thread(model: LanguageModel) -> None:
    async def work() -> None:
        reader, going = Reader(model, "small", 2), threading.Event()
        first = asyncio.ensure_future(reader.call(going.wait, 30))
        second = asyncio.ensure_future(reader.call(len, "ab"))
        await asyncio.sleep(0)
        with pytest.raises(Refusal, match="2 texts wait to be read; try again soon") as caught:
            await reader.call(len, "")
        assert caught.value.status == 429
        reader.close()
        with pytest.raises(Refusal, match="the server is about to stop"):
            await second
        with pytest.raises(Refusal, match="the server is about to stop"):
            await reader.call(len, "")
        going.set()
        assert await first

    run(work())


def test_who_leaves_is_not_told_that_the_server_stops(model: LanguageModel) -> None:
    async def work() -> None:
        reader, going = Reader(model, "small", 2), threading.Event()
        waiting = asyncio.ensure_future(reader.call(going.wait, 30))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        going.set()
        assert await reader.call(len, "abc") == 3
        reader.close()

    run(work())

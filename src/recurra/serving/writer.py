"""The thread in which a model writes: all texts that are on order, side by side, a block at a time.

Requests come from the event loop and what is written goes back to it; the thread alone touches the generator. Its
kernels run without the GIL, so that the event loop answers meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from recurra.inference.generation import AT_ONCE, Generator, Writing
from recurra.serving.refusals import STOPPING, Refusal, busy, unavailable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from recurra.inference.sampling import SamplingConfig
    from recurra.model import LanguageModel


NICE = 5  # of 19
AT_A_TIME = 4  # pieces that the event loop hands on before it looks for requests
LOG = logging.getLogger("uvicorn.error")


class Text(NamedTuple):
    """A text to be written: after the ids `prompt`, the first of `config` or another `candidate` for it."""

    prompt: NDArray[np.integer]
    config: SamplingConfig
    candidate: int = 0


class Written(NamedTuple):
    """What text `number` of an order has got; `ended` as it was then: the thread goes on writing meanwhile."""

    number: int
    symbols: str
    logs: list[float]
    ended: str | None


Event: TypeAlias = Written | Refusal


class Order:
    """Texts of one request, in the event loop: `pieces` are what they get, as it comes, for so many seconds."""

    def __init__(self, texts: Sequence[Text], seconds: float) -> None:
        self.texts = list(texts)
        self._end = asyncio.get_running_loop().time() + seconds
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    async def pieces(self) -> AsyncIterator[Written]:
        """What the texts get, until all have ended; Refusal where they were broken off."""
        left = len(self.texts)
        while left:
            try:
                async with asyncio.timeout_at(self._end):
                    event = await self._events.get()
            except TimeoutError:
                raise Refusal(504, "it takes too long; ask for less at once.", code="timeout") from None
            if isinstance(event, Refusal):
                raise event
            left -= event.ended is not None
            yield event

    def deliver(self, event: Event) -> None:
        """Called in the event loop."""
        self._events.put_nowait(event)


class Writer:
    """A model's thread. `submit`, `drop` and `close` are called in the event loop."""

    def __init__(self, model: LanguageModel, name: str, queue: int) -> None:
        self._model, self._queue = model, queue
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Order, int]] = deque()
        self._orders: set[Order] = set()
        self._outbox: deque[tuple[Order, Event]] = deque()  # of the event loop
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name=f"writer {name}", daemon=True)
        self._thread.start()

    def submit(self, order: Order) -> None:
        """Put its texts in the queue; Refusal where there is no room for them."""
        with self._changed:
            if self._closed:
                raise unavailable(STOPPING)
            if len(self._waiting) + len(order.texts) > self._queue:
                raise busy(f"{len(self._waiting)} texts wait to be written; try again soon.")
            self._orders.add(order)
            self._waiting.extend((order, number) for number in range(len(order.texts)))
            self._changed.notify()

    def drop(self, order: Order) -> None:
        """Nobody waits for it any more: it stops at the end of the block that is being written."""
        with self._changed:
            self._orders.discard(order)

    def close(self) -> None:
        """Break off what is on order, and end."""
        with self._changed:
            self._closed = True
            broken, self._orders = self._orders, set()
            self._changed.notify()
        for order in broken:
            order.deliver(unavailable(STOPPING))

    def join(self) -> None:
        """Wait for the thread to end, after `close`: it ends with the block that it writes."""
        self._thread.join()

    def _work(self) -> None:
        _step_back()
        generator, writings = self._model.generator(), dict[Writing, tuple[Order, int]]()
        while self._take(generator, writings):
            try:
                pieces = generator.step()
            except Exception:
                LOG.exception("writing has failed")
                self._to_loop([(order, _failed()) for order in {order for order, _ in writings.values()}])
                generator, writings = self._model.generator(), {}
                continue
            found: list[tuple[Order, Event]] = []
            for piece in pieces:
                order, number = writings[piece.writing]
                ended, logs = piece.writing.ended, piece.log_probabilities.tolist()
                found.append((order, Written(number, piece.symbols, logs, ended)))
                if ended is not None:
                    del writings[piece.writing]
            self._to_loop(found)

    def _take(self, generator: Generator, writings: dict[Writing, tuple[Order, int]]) -> bool:
        """Wait for something to write, and have it begun; False at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting or writings)
            if self._closed:
                return False
            for writing in [writing for writing, (order, _) in writings.items() if order not in self._orders]:
                generator.drop(writing)
                del writings[writing]
            while self._waiting and len(generator) < AT_ONCE:
                order, number = self._waiting.popleft()
                if order in self._orders:
                    writings[generator.add(*order.texts[number])] = order, number
        return True

    def _to_loop(self, events: list[tuple[Order, Event]]) -> None:
        """Hand over a block's pieces in one call, unless the loop has ended."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._put_out, events)

    def _put_out(self, events: list[tuple[Order, Event]]) -> None:
        """In the event loop: deliver some now and the others in turn, so that who asks something else is answered."""
        idle = not self._outbox
        self._outbox.extend(events)
        if idle:
            self._deliver()

    def _deliver(self) -> None:
        for _ in range(min(AT_A_TIME, len(self._outbox))):
            order, event = self._outbox.popleft()
            order.deliver(event)
        if self._outbox:
            self._loop.call_soon(self._deliver)


def _failed() -> Refusal:
    return Refusal(500, "writing has failed; the server's log says more.", code="internal")


def _step_back() -> None:
    """Let the event loop go first where cores are scarce; on Linux a thread has its own priority, and gives it on."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)

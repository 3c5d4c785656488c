"""SIGINT and SIGTERM: who handles them for a while, and what they did before is put back."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

STOPS = (signal.SIGINT, signal.SIGTERM)
Handler = Callable[[int, FrameType | None], Any] | signal.Handlers


@contextlib.contextmanager
def handled_by(handler: Handler) -> Iterator[None]:
    """Let `handler` have both signals. Only in the main thread: elsewhere nothing is changed."""
    numbers = STOPS if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number in before:
            signal.signal(number, handler)
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, signal.SIG_DFL if former is None else former)  # None: not set by Python


@contextlib.contextmanager
def stop_signals() -> Iterator[list[int]]:
    """A list that the first signal is put into, to be asked for between two steps; a second has its usual effect."""
    received: list[int] = []
    with contextlib.ExitStack() as handled:

        def receive(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's signature
            received.append(number)
            handled.close()

        handled.enter_context(handled_by(receive))
        yield received

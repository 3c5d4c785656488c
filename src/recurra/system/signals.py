"""Handle the signals that ask a process to stop, for a while, and restore the old handlers."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

HANGUPS: tuple[signal.Signals, ...] = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()  # Windows has none
REQUESTS = (signal.SIGINT, signal.SIGTERM)
STOPS = (*REQUESTS, *HANGUPS)
Handler = Callable[[int, FrameType | None], Any] | signal.Handlers


@contextlib.contextmanager
def handled_by(handler: Handler, numbers: Sequence[signal.Signals] = STOPS) -> Iterator[None]:
    """Set `handler` for the signals `numbers`. Python allows it in the main thread only: elsewhere nothing is changed.

    A hangup that is ignored stays ignored: `nohup` started the command, which is to outlive its terminal.
    """
    if threading.current_thread() is not threading.main_thread():
        numbers = ()
    before = {number: signal.getsignal(number) for number in numbers}
    before = {number: former for number, former in before.items() if not _is_ignored_hangup(number, former)}
    try:
        for number in before:
            signal.signal(number, handler)
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, signal.SIG_DFL if former is None else former)  # None: not set by Python


def _is_ignored_hangup(number: signal.Signals, former: object) -> bool:
    return number in HANGUPS and former is signal.SIG_IGN


@contextlib.contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Yield a list that gets the first signal of `STOPS`, to be looked at between two steps.

    A second SIGINT or SIGTERM has its usual effect. A second SIGHUP has none: a closed terminal sends two, one from
    the shell and one from the system, and what the first one started must come to its end.
    """
    received: list[int] = []
    with contextlib.ExitStack() as requests:

        def receive(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's signature
            if not received:
                received.append(number)
            requests.close()

        with handled_by(receive, HANGUPS):
            requests.enter_context(handled_by(receive, REQUESTS))
            yield received


class Interrupts:
    """The handler of SIGINT (Ctrl-C) for a whole command, so that no number of presses ends in a traceback.

    `action` is what the next press does: interrupt the command, nothing, or end the process. To assign it is atomic,
    which `signal.signal` is not: that runs the handlers of signals that came before.
    """

    CODE = 128 + signal.SIGINT

    def __init__(self) -> None:
        self.action: Callable[[], None] = self.interrupt

    def install(self) -> None:
        """Replace Python's own handler. Leave alone a SIGINT that is ignored, as for a job in the background."""
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self)

    def __call__(self, *_: object) -> None:
        self.action()

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt."""
        raise KeyboardInterrupt

    def ignore(self) -> None:
        """Do nothing."""

    def leave(self) -> None:
        """End the process: all is written, and only its threads are left to wait for."""
        os._exit(self.CODE)

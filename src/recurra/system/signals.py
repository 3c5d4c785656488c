"""Handle the signals that stop a process during a block of code, and restore the former handlers."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
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
    """Set `handler` for the signals `numbers`, and restore the former handlers at the end of the `with` block.

    Python sets handlers in the main thread only; in another thread this function does nothing. If SIGHUP is ignored, it
    remains ignored: `nohup` started the command, which must survive its terminal.
    """
    if threading.current_thread() is not threading.main_thread():
        numbers = ()
    formers = {number: signal.getsignal(number) for number in numbers}
    formers = {number: former for number, former in formers.items() if not _is_ignored_hangup(number, former)}
    try:
        for number in formers:
            signal.signal(number, handler)
        yield
    finally:
        for number, former in formers.items():
            signal.signal(number, signal.SIG_DFL if former is None else former)  # None: not set by Python


def _is_ignored_hangup(number: signal.Signals, former: object) -> bool:
    return number in HANGUPS and former is signal.SIG_IGN


@contextlib.contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Yield a list to which the first signal of `STOPS` is appended; the caller checks it between two steps.

    A second SIGINT or SIGTERM has its usual effect. A second SIGHUP has no effect: a closed terminal sends one from the
    shell and one from the system, and the orderly stop after the first must finish.
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


def _report_unraisable(report: Callable[[Any], object], unraisable: Any) -> None:
    """Call `report`, unless Ctrl-C was pressed in a callback that cannot raise. The next press stops the command."""
    if not isinstance(unraisable.exc_value, KeyboardInterrupt):
        report(unraisable)


class Interrupts:
    """The handler of SIGINT (Ctrl-C) for a whole command: even repeated presses print no traceback.

    `action` is called at the next press: `interrupt`, `ignore` or `leave`. An assignment to `action` is atomic. A call
    of `signal.signal` is not: it first runs the handlers of pending signals.
    """

    CODE = 128 + signal.SIGINT

    def __init__(self) -> None:
        self.action: Callable[[], None] = self.interrupt

    def install(self) -> None:
        """Replace Python's default handler. An ignored SIGINT, as in a background job, remains ignored."""
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self)
            sys.unraisablehook = functools.partial(_report_unraisable, sys.unraisablehook)

    def __call__(self, *_: object) -> None:
        self.action()

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt."""
        raise KeyboardInterrupt

    def ignore(self) -> None:
        """Do nothing."""

    def leave(self) -> None:
        """End the process without waiting for its threads. Use this action only when all output is written."""
        os._exit(self.CODE)

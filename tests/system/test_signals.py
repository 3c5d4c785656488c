"""Handlers of SIGINT, SIGTERM and SIGHUP: set during a block of code, then restored."""

import os
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from recurra.system.signals import STOPS, Interrupts, handled_by, stop_signals


def handlers() -> list[Any]:
    return [signal.getsignal(number) for number in STOPS]


def test_handler_receives_signals_and_former_one_returns() -> None:
    before, seen = handlers(), []

    def fail() -> None:
        with handled_by(lambda number, _: seen.append(number)):
            for number in STOPS:
                os.kill(os.getpid(), number)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert seen == [*STOPS]
    assert handlers() == before


def test_signals_can_be_ignored() -> None:
    with handled_by(signal.SIG_IGN):
        os.kill(os.getpid(), signal.SIGTERM)
        assert handlers() == [signal.SIG_IGN] * 3


def test_handler_not_set_by_python_becomes_default(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {number: signal.getsignal(number) for number in STOPS}
    try:
        with monkeypatch.context() as patch:
            patch.setattr(signal, "getsignal", lambda _: None)
            with handled_by(signal.SIG_IGN):
                pass
        assert handlers() == [signal.SIG_DFL] * 3
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_other_threads_change_no_handler() -> None:
    before, inside = handlers(), []

    def work() -> None:
        with handled_by(signal.SIG_IGN), stop_signals() as received:
            inside.extend([handlers(), received])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before, []]


def test_first_stop_is_recorded_and_second_has_usual_effect() -> None:
    before = handlers()
    with stop_signals() as received:
        os.kill(os.getpid(), signal.SIGTERM)
        assert received == [signal.SIGTERM]
        assert handlers()[:2] == before[:2]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert received == [signal.SIGTERM]
    assert handlers() == before


def test_second_hangup_has_no_effect() -> None:
    before = handlers()
    with stop_signals() as received:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
        assert received == [signal.SIGHUP]
    assert handlers() == before


def test_ignored_hangup_remains_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_signals() as received:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert received == []
    finally:
        signal.signal(signal.SIGHUP, before)


def test_interrupts_action_decides_effect_of_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    before, interrupts = signal.getsignal(signal.SIGINT), Interrupts()
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        interrupts.install()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        interrupts.action = interrupts.ignore
        os.kill(os.getpid(), signal.SIGINT)
        assert left == []
        interrupts.action = interrupts.leave
        os.kill(os.getpid(), signal.SIGINT)
        assert left == [130]
    finally:
        signal.signal(signal.SIGINT, before)


def test_ignored_interrupt_remains_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        Interrupts().install()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_in_a_callback_is_not_reported() -> None:
    """A weak reference's callback cannot raise; Python would print a traceback."""
    code = (
        "import signal, weakref\n"
        "from recurra.system.signals import Interrupts\n"
        "Interrupts().install()\n"
        "class A: pass\n"
        "a = A()\n"
        "kept = weakref.ref(a, lambda _: signal.raise_signal(signal.SIGINT))\n"
        "del a\n"
        "b = A()\n"
        "kept = weakref.ref(b, lambda _: 1 / 0)\n"
        "del b\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "KeyboardInterrupt" not in done.stderr
    assert "ZeroDivisionError" in done.stderr

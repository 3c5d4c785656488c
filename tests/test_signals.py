"""SIGINT and SIGTERM are handed over, and put back as they were."""

import os
import signal
import threading

import pytest

from recurra.signals import STOPS, handled_by, stop_signals


def handlers():
    return [signal.getsignal(number) for number in STOPS]


def test_both_signals_are_handed_over_and_put_back():
    before, seen = handlers(), []

    def fail():
        with handled_by(lambda number, _: seen.append(number)):
            for number in STOPS:
                os.kill(os.getpid(), number)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert seen == [*STOPS]
    assert handlers() == before


def test_they_can_be_ignored():
    with handled_by(signal.SIG_IGN):
        os.kill(os.getpid(), signal.SIGTERM)
        assert handlers() == [signal.SIG_IGN] * 2


def test_a_handler_that_python_has_not_set_becomes_the_default(monkeypatch):
    before = {number: signal.getsignal(number) for number in STOPS}
    try:
        with monkeypatch.context() as patch:
            patch.setattr(signal, "getsignal", lambda _: None)
            with handled_by(signal.SIG_IGN):
                pass
        assert handlers() == [signal.SIG_DFL] * 2
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_another_thread_leaves_them_alone():
    before, inside = handlers(), []

    def work():
        with handled_by(signal.SIG_IGN), stop_signals() as received:
            inside.extend([handlers(), received])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before, []]


def test_the_first_stop_is_kept_and_the_second_has_its_usual_effect():
    before = handlers()
    with stop_signals() as received:
        os.kill(os.getpid(), signal.SIGTERM)
        assert received == [signal.SIGTERM]
        assert handlers() == before
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert received == [signal.SIGTERM]
    assert handlers() == before

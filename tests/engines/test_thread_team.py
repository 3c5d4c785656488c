"""Threads that share work."""

import threading

import pytest

from processes import PATIENCE
from recurra.engines.thread_team import ONE_THREAD, Team


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_results_come_in_the_order_of_the_pieces(size: int, count: int) -> None:
    with Team(size) as team:
        assert team.each(lambda piece: piece * piece, count) == [piece * piece for piece in range(count)]


def test_the_caller_has_a_share_and_the_others_work_beside_it() -> None:
    meeting = threading.Barrier(3)

    def work(piece: int) -> tuple[int, bool]:
        meeting.wait(PATIENCE)  # reached only if three work at the same time
        return piece, threading.current_thread() is threading.main_thread()

    with Team(3) as team:
        assert team.each(work, 3) == [(0, True), (1, False), (2, False)]


def test_alone_no_thread_is_started() -> None:
    before = threading.active_count()
    assert ONE_THREAD.each(lambda piece: threading.current_thread() is threading.main_thread(), 3) == [True] * 3
    assert threading.active_count() == before


@pytest.mark.parametrize("bad", [0, 1])
def test_an_error_of_any_member_reaches_the_caller(bad: int) -> None:
    def work(piece: int) -> None:
        if piece == bad:
            raise ArithmeticError(f"piece {piece}")

    with Team(2) as team, pytest.raises(ArithmeticError, match=f"piece {bad}"):
        team.each(work, 2)

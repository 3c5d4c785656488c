"""A team of threads that divides work."""

import threading

import pytest

from processes import PATIENCE
from recurra.engines.thread_team import ONE_THREAD, Team


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_results_are_in_the_order_of_the_pieces(size: int, count: int) -> None:
    with Team(size) as team:
        assert team.each(lambda piece: piece * piece, count) == [piece * piece for piece in range(count)]


def test_caller_and_threads_work_at_the_same_time() -> None:
    meeting = threading.Barrier(3)

    def work(piece: int) -> tuple[int, bool]:
        meeting.wait(PATIENCE)  # reached only if three work at the same time
        return piece, threading.current_thread() is threading.main_thread()

    with Team(3) as team:
        assert team.each(work, 3) == [(0, True), (1, False), (2, False)]


def test_team_of_one_starts_no_thread() -> None:
    before = threading.active_count()
    assert ONE_THREAD.each(lambda piece: threading.current_thread() is threading.main_thread(), 3) == [True] * 3
    assert threading.active_count() == before


@pytest.mark.parametrize("bad", [0, 1])
def test_error_in_any_thread_reaches_the_caller(bad: int) -> None:
    def work(piece: int) -> None:
        if piece == bad:
            raise ArithmeticError(f"piece {piece}")

    with Team(2) as team, pytest.raises(ArithmeticError, match=f"piece {bad}"):
        team.each(work, 2)

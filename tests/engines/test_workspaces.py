"""Workspaces: two calls never share a workspace, and the number of free workspaces is limited."""

from __future__ import annotations

import contextlib

import pytest

from recurra.engines import workspaces
from recurra.engines.workspaces import Workspaces


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Workspaces[int, list[int]]:
    monkeypatch.setattr(workspaces, "usable_cpus", lambda: 2)
    return Workspaces(lambda size: [0] * size, kept=1)


def test_workspace_is_lent_to_one_call_at_a_time(pool: Workspaces[int, list[int]]) -> None:
    with pool.borrow(3) as first, pool.borrow(3) as second:
        assert first is not second
        assert len(first) == len(second) == 3
    with pool.borrow(3) as third:
        assert any(third is used for used in (first, second))


def test_failed_call_returns_its_workspace(pool: Workspaces[int, list[int]]) -> None:
    with contextlib.suppress(ZeroDivisionError), pool.borrow(3) as first:
        raise ZeroDivisionError
    with pool.borrow(3) as second:
        assert second is first


def test_free_workspaces_are_bounded(pool: Workspaces[int, list[int]]) -> None:
    for size in (5, 1, 6, 300, 1, 7, 8):
        with pool.borrow(size):
            pass
    with contextlib.ExitStack() as calls:
        for _ in range(5):
            calls.enter_context(pool.borrow(8))
    assert {size: len(free) for size, free in pool._free.items()} == {1: 1, 8: 2}

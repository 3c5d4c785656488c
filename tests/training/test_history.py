"""The smooth loss, the window and the epoch means, worked out by hand."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.training.history import History

losses = st.lists(st.floats(0, 1e6), min_size=1, max_size=40)


def test_the_smooth_loss_by_hand() -> None:
    history = History()
    history.extend([100.0])
    assert history.smooth == 100.0  # the first loss itself
    history.extend([50.0, 150.0])
    # 0.999 · 100 + 0.001 · 50 = 99.95;  0.999 · 99.95 + 0.001 · 150 = 100.00005
    assert history.smooth == pytest.approx(100.00005, rel=1e-15)
    history.extend([0.1])
    # 0.999 · 100.00005 + 0.001 · 0.1 = 99.90014995
    assert history.smooth == pytest.approx(99.90014995, rel=1e-15)


def test_the_first_value_is_the_first_loss_to_the_last_bit() -> None:
    for loss in (0.1, 108.9173, 1 / 3, 1e300):
        history = History()
        history.extend([loss])
        assert history.smooth == loss


def test_a_constant_loss_stays() -> None:
    history = History()
    history.extend([7.0] * 1000)
    assert history.smooth == pytest.approx(7, rel=1e-13)


def test_the_unit_divides_the_losses_but_not_the_epoch_means() -> None:
    history = History(unit=50.0)
    history.extend([100.0, 200.0])
    assert history.smooth == pytest.approx(0.999 * 2 + 0.001 * 4, rel=1e-15)
    assert history.close_window() == {"mean": 3.0, "min": 2.0, "max": 4.0}
    assert history.end_epoch(50) == 3.0  # 300 nats in 2 updates of 50 characters


def test_the_window_is_what_came_since_the_last_record() -> None:
    history = History()
    history.extend([3.0, 1.0])
    history.extend([8.0])
    assert history.close_window() == {"mean": 4.0, "min": 1.0, "max": 8.0}
    history.extend([2.0])
    assert history.close_window() == {"mean": 2.0, "min": 2.0, "max": 2.0}


def test_epochs_are_closed_one_by_one() -> None:
    history = History()
    history.extend([10.0, 20.0])
    history.extend([30.0])
    assert history.end_epoch(10) == 2.0  # 60 nats in 3 updates of 10 characters
    history.extend([5.0])
    assert history.end_epoch(10) == 0.5
    assert history.epoch_means == [2.0, 0.5]
    assert (history.epoch_sum, history.epoch_updates) == (0.0, 0)


@given(losses, st.lists(st.integers(1, 7), max_size=30))
def test_blocks_change_no_bit(values: list[float], sizes: list[int]) -> None:
    whole, parts = History(unit=3.0), History(unit=3.0)
    whole.extend(values)
    rest = values
    for size in [*sizes, len(values)]:
        if rest[:size]:
            parts.extend(rest[:size])
        rest = rest[size:]
    assert parts == whole
    assert parts.end_epoch(5) == whole.end_epoch(5)
    assert parts.close_window() == whole.close_window()


@given(losses, losses)
def test_a_history_is_restored_from_its_table(first: list[float], second: list[float]) -> None:
    history = History(unit=2.0)
    history.extend(first)
    history.end_epoch(4)
    history.extend(second)
    restored = History(**json.loads(json.dumps(history.to_table())))
    assert restored == history
    history.extend(first)
    restored.extend(first)
    assert restored == history
    assert restored.close_window() == history.close_window()


def test_a_table_is_a_copy() -> None:
    history = History()
    history.extend([1.0])
    history.end_epoch(1)
    table = history.to_table()
    before = json.dumps(table)
    history.extend([5.0])
    history.end_epoch(1)
    assert json.dumps(table) == before


def test_a_table_does_not_grow_with_the_updates() -> None:
    history = History()
    history.extend([1.5] * 10)
    short = len(json.dumps(history.to_table()))
    history.extend([1.5] * 10_000)
    assert len(json.dumps(history.to_table())) < short + 20

"""The smooth loss, the window and the epoch means, compared with hand calculations."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.training.loss_history import History

losses = st.lists(st.floats(0, 1e6), min_size=1, max_size=40)


def test_smooth_loss_equals_hand_calculation() -> None:
    history = History(per_character=False)
    history.extend([100.0], [25])
    assert history.smooth == 100.0  # the first loss itself
    history.extend([50.0, 150.0], [25, 25])
    # 0.999 · 100 + 0.001 · 50 = 99.95;  0.999 · 99.95 + 0.001 · 150 = 100.00005
    assert history.smooth == pytest.approx(100.00005, rel=1e-15)
    history.extend([0.1], [25])
    # 0.999 · 100.00005 + 0.001 · 0.1 = 99.90014995
    assert history.smooth == pytest.approx(99.90014995, rel=1e-15)


def test_first_smooth_loss_is_first_loss_bit_for_bit() -> None:
    for loss in (0.1, 108.9173, 1 / 3, 1e300):
        history = History(per_character=False)
        history.extend([loss], [25])
        assert history.smooth == loss


def test_smooth_loss_of_constant_loss_is_constant() -> None:
    history = History()
    history.extend([7.0] * 1000, [1] * 1000)
    assert history.smooth == pytest.approx(7, rel=1e-13)


def test_losses_are_means_per_character_or_sums() -> None:
    history = History()
    history.extend([100.0, 200.0], [50, 25])
    assert history.smooth == pytest.approx(0.999 * 2 + 0.001 * 8, rel=1e-15)
    assert history.close_window() == {"mean": 5.0, "min": 2.0, "max": 8.0}
    assert history.end_epoch() == 4.0  # 300 nats over 75 characters
    sums = History(per_character=False)
    sums.extend([100.0, 200.0], [50, 25])
    assert sums.close_window() == {"mean": 150.0, "min": 100.0, "max": 200.0}
    assert sums.end_epoch() == 4.0


def test_window_has_losses_since_last_record() -> None:
    history = History()
    history.extend([3.0, 1.0], [1, 1])
    history.extend([8.0], [1])
    assert history.close_window() == {"mean": 4.0, "min": 1.0, "max": 8.0}
    history.extend([2.0], [1])
    assert history.close_window() == {"mean": 2.0, "min": 2.0, "max": 2.0}


def test_epoch_means_are_separate() -> None:
    history = History()
    history.extend([10.0, 20.0], [10, 10])
    history.extend([30.0], [10])
    assert history.end_epoch() == 2.0  # 60 nats in 3 updates of 10 characters
    history.extend([5.0], [10])
    assert history.end_epoch() == 0.5
    assert history.epoch_means == [2.0, 0.5]
    assert (history.epoch_sum, history.epoch_characters) == (0.0, 0)


@given(losses, st.lists(st.integers(1, 7), max_size=30))
def test_block_size_changes_no_bit(values: list[float], sizes: list[int]) -> None:
    whole, parts = History(), History()
    whole.extend(values, [3] * len(values))
    rest = values
    for size in [*sizes, len(values)]:
        if rest[:size]:
            parts.extend(rest[:size], [3] * len(rest[:size]))
        rest = rest[size:]
    assert parts == whole
    assert parts.end_epoch() == whole.end_epoch()
    assert parts.close_window() == whole.close_window()


@given(losses, losses)
def test_history_is_restored_from_table(first: list[float], second: list[float]) -> None:
    history = History()
    history.extend(first, [2] * len(first))
    history.end_epoch()
    history.extend(second, [2] * len(second))
    restored = History(**json.loads(json.dumps(history.to_table())))
    assert restored == history
    history.extend(first, [2] * len(first))
    restored.extend(first, [2] * len(first))
    assert restored == history
    assert restored.close_window() == history.close_window()


def test_table_is_a_copy() -> None:
    history = History()
    history.extend([1.0], [1])
    history.end_epoch()
    table = history.to_table()
    before = json.dumps(table)
    history.extend([5.0], [1])
    history.end_epoch()
    assert json.dumps(table) == before


def test_table_does_not_grow_with_updates() -> None:
    history = History()
    history.extend([1.5] * 10, [1] * 10)
    short = len(json.dumps(history.to_table()))
    history.extend([1.5] * 10_000, [1] * 10_000)
    assert len(json.dumps(history.to_table())) < short + 20

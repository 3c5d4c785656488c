"""The selection of the best model, and the counters of patience and plateaus."""

from __future__ import annotations

from typing import Any

from recurra.config import TrainingConfig
from recurra.training.selection import Selection


def snapshot(update: int) -> Any:
    return f"the snapshot of {update}"


def test_newest_model_is_best_before_first_comparison() -> None:
    selection = Selection(TrainingConfig())
    assert [selection.for_checkpoint(snapshot(update)) for update in (1, 2)] == [snapshot(1), snapshot(2)]
    assert selection.to_table() == {"best_loss": None, "best_update": None, "worse": 0, "drops": 0}
    selection.keep(3, 0.5, lambda: snapshot(3))
    assert selection.best == snapshot(3)
    assert [selection.for_checkpoint(snapshot(update)) for update in (4, 5)] == [snapshot(3), None]


def test_snapshot_of_best_contains_its_own_loss() -> None:
    selection = Selection(TrainingConfig())
    tables = []

    def take_snapshot() -> Any:
        tables.append(selection.to_table())
        return snapshot(3)

    selection.keep(3, 0.5, take_snapshot)
    assert tables == [{"best_loss": 0.5, "best_update": 3, "worse": 0, "drops": 0}]


def test_patience_and_plateaus_count_from_lowest_loss() -> None:
    selection = Selection(TrainingConfig(patience=4, plateau=2, validation=0.1))
    counted = []
    for loss in (2.0, 2.0, 1.0, 1.5, 1.5, 1.0, 3.0):
        if selection.is_lowest(loss):
            selection.keep(0, loss, lambda: snapshot(0))
        counted.append((selection.to_table()["worse"], selection.drops, selection.out_of_patience))
    assert counted == [
        (0, 0, False), (1, 0, False), (0, 0, False), (1, 0, False), (2, 1, False), (3, 1, False), (4, 2, True),
    ]  # fmt: skip
    assert not Selection(TrainingConfig()).out_of_patience

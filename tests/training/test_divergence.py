"""The detection of a training that diverged, and the learning rate that it proposes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from recurra.config import OPTIMIZERS, TrainingConfig
from recurra.training.divergence import has_diverged, rate_to_try
from small_training import K, train_small


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("rate", [1e-6, 1.0, 1e10])
def test_proposed_rate_is_lower(optimizer: str, rate: float) -> None:
    training = TrainingConfig(optimizer=optimizer, learning_rate=rate)
    assert 0 < rate_to_try(training) <= min(rate / 2, 0.1)


def test_divergence_is_loss_above_uniform_guess() -> None:
    wild, usual = TrainingConfig(learning_rate=1.0), TrainingConfig(learning_rate=0.1)
    assert has_diverged(wild, 5, 1.1 * math.log(K), K)
    assert not has_diverged(wild, 5, 1.04 * math.log(K), K)
    assert not has_diverged(usual, 5, 3.0 * math.log(K), K)  # the first updates at a usual rate
    assert has_diverged(usual, 1000, 3.0 * math.log(K), K)


def test_summary_has_rate_to_try(tmp_path: Path) -> None:
    wild, usual = train_small(tmp_path / "a", learning_rate=100.0).summary, train_small(tmp_path / "b").summary
    assert (wild["rate_to_try"], usual["rate_to_try"]) == (0.1, None)
    assert wild["uniform_nats_per_character"] == math.log(K) < wild["recent_nats_per_character"]
    assert usual["recent_nats_per_character"] < math.log(K)

"""Dropout masks."""

from __future__ import annotations

import numpy as np
import pytest

from recurra.config import ModelConfig
from recurra.errors import UsageError
from recurra.network.dropout import dropout_masks
from recurra.system.random_streams import stream

CONFIG = ModelConfig(cell="gru", hidden_size=50, layers=3)


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5])
def test_share_p_is_dropped_and_the_mean_is_one(p: float) -> None:
    masks = dropout_masks(CONFIG, 100, p, stream(0, "dropout"))
    assert masks.shape == (2, 100, 50)
    assert masks.dtype == np.float32
    assert set(np.unique(masks)) == {np.float32(0), np.float32(1 / (1 - p))}
    assert (masks == 0).mean() == pytest.approx(p, abs=0.015)
    assert masks.mean() == pytest.approx(1, abs=0.03)


def test_p_of_zero_drops_nothing() -> None:
    assert (dropout_masks(CONFIG, 4, 0.0, stream(0, "dropout")) == 1).all()


def test_one_layer_has_no_masks() -> None:
    numbers = stream(0, "dropout")
    assert dropout_masks(ModelConfig(hidden_size=5), 4, 0.5, numbers).shape == (0, 4, 5)
    assert numbers.words(1) == stream(0, "dropout").words(1)


def test_masks_of_an_update_are_the_same_after_resume() -> None:
    numbers = stream(3, "dropout")
    first, second = (dropout_masks(CONFIG, 2, 0.5, numbers) for _ in range(2))
    assert not np.array_equal(first, second)
    assert numbers.words(1) == stream(3, "dropout", counter=2 * 2 * 2 * 50).words(1)
    assert np.array_equal(dropout_masks(CONFIG, 2, 0.5, stream(3, "dropout", counter=200)), second)


def test_masks_differ_between_layers_and_streams() -> None:
    masks = dropout_masks(CONFIG, 3, 0.5, stream(0, "dropout")).reshape(6, 50)
    assert len(np.unique(masks, axis=0)) == 6


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_p_outside_zero_to_one_raises(p: float) -> None:
    with pytest.raises(UsageError, match=rf"`dropout` must be a number from 0 to below 1; got {p}\."):
        dropout_masks(CONFIG, 2, p, stream(0, "dropout"))

"""New characters: the old predictions stay the same, and the network can learn the new characters."""

from __future__ import annotations

import numpy as np
import pytest

from recurra.config import ModelConfig
from recurra.engines import create_network
from recurra.network import network
from recurra.network.cells import CELLS
from recurra.network.growth import grow, spread
from recurra.network.network import zero_state
from recurra.network.parameters import check_parameters, initialize
from recurra.system.random_streams import stream

UNBOUNDED = "mingru"  # the cell whose h is not bounded: the old predictions may change
KINDS = [ModelConfig(cell=cell, hidden_size=9, layers=n) for cell in CELLS if cell != UNBOUNDED for n in (1, 2)]
AMONG, BEHIND = np.array([1, 2, 5, 8, 9]), np.arange(5)  # places of five old characters in a vocabulary of ten


def trained(config: ModelConfig) -> dict[str, np.ndarray]:
    """Return parameters, biases too, of the size that they have in a trained network."""
    shapes = initialize(config, 5, seed=3)
    draw = stream(3, "trained").normal
    return {name: draw(array.size).reshape(array.shape).astype(np.float32) * 2 for name, array in shapes.items()}


@pytest.mark.parametrize("places", [AMONG, BEHIND], ids=["among the old ones", "behind the old ones"])
@pytest.mark.parametrize("config", KINDS, ids=lambda config: f"{config.cell} {config.layers}")
def test_old_characters_keep_their_predictions(config: ModelConfig, places: np.ndarray) -> None:
    parameters = trained(config)
    grown = grow(config, parameters, places, 10, seed=1)
    check_parameters(config, 10, grown)
    ids, state = (stream(4, "ids").uniform(300) * 5).astype(np.int64), zero_state(config, 1)
    before, after = create_network(config, parameters), create_network(config, grown)
    old, old_state = before.log_probabilities(ids, state)
    new, new_state = after.log_probabilities(places[ids], state)
    assert all(map(np.array_equal, old_state, new_state))
    if places is BEHIND:
        assert np.array_equal(new[:, places], old)
    assert np.abs(new[:, places] - old).max() < 4e-6  # the sum of the same exponentials, in another order
    assert np.delete(new, places, axis=1).max() < -30


@pytest.mark.parametrize("config", KINDS, ids=lambda config: f"{config.cell} {config.layers}")
def test_new_character_has_finite_loss_and_a_gradient(config: ModelConfig) -> None:
    grown = grow(config, trained(config), AMONG, 10, seed=1)
    new = np.setdiff1d(np.arange(10), AMONG)
    ids = np.array([1, 0, 5, 3, 8, 0, 2, 9])[:, np.newaxis]
    loss, gradients, _ = network.loss_and_gradients(config, grown, ids[:-1], ids[1:])
    assert 3 * 30 < loss < 1000
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())
    assert np.allclose(gradients["c"][new], [-2, -1, 0, 0, 0], atol=1e-6)  # minus the times it was a target
    assert np.abs(gradients["V"][new[:2]]).min() > 0
    assert np.abs(gradients["layers.0.U"][:, new[:2]]).max(axis=0).min() > 0


def test_new_columns_are_random_with_the_old_size() -> None:
    config = ModelConfig(hidden_size=400)
    parameters = initialize(config, 5, seed=1, scale=0.5)
    grown = grow(config, parameters, AMONG, 10, seed=1)["layers.0.U"]
    assert np.array_equal(grown[:, AMONG], parameters["layers.0.U"])
    new = np.delete(grown, AMONG, axis=1)
    assert new.std() == pytest.approx(0.5, rel=0.05)
    assert np.array_equal(np.delete(grow(config, parameters, AMONG, 10, seed=1)["layers.0.U"], AMONG, axis=1), new)
    assert not np.array_equal(np.delete(grow(config, parameters, AMONG, 10, seed=2)["layers.0.U"], AMONG, axis=1), new)
    assert np.array_equal(grow(config, parameters, BEHIND, 10, seed=1)["layers.0.U"][:, 5:], new)


def test_optimizer_state_grows_by_zeros() -> None:
    config = ModelConfig(hidden_size=3)
    U, V = np.ones((3, 5)), np.arange(15.0).reshape(5, 3) + 1
    assert np.array_equal(spread(config, "squares.layers.0.U", U, AMONG, 10)[0], [0, 1, 1, 0, 0, 1, 0, 0, 1, 1])
    assert np.array_equal(spread(config, "average.V", V, AMONG, 10)[AMONG], V)
    assert spread(config, "average.V", V, AMONG, 10).sum() == V.sum()
    for name in ("squares.layers.1.U", "layers.0.W", "average_weight"):
        assert np.array_equal(spread(config, name, U, AMONG, 10), U)


def test_mogrifier_does_not_scale_new_characters() -> None:
    config = ModelConfig(cell="mogrifier", hidden_size=3, mogrifier_rank=2)
    grown = grow(config, trained(config), AMONG, 10, seed=1)
    new = np.setdiff1d(np.arange(10), AMONG)
    assert not grown["layers.0.Q1_left"][new].any()
    assert not grown["layers.0.R2_right"][:, new].any()
    assert grown["layers.0.Q1_left"][AMONG].all()

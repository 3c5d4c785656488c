"""The initial weights of each cell."""

from __future__ import annotations

import math

import numpy as np
import pytest

from problems import CELLS, config_of
from recurra.network import cells, network
from recurra.network.initialization import character_deviation
from recurra.network.parameters import digest, initialize, parameter_shapes

GOLDEN = {
    "elman": "f12d7663efe702ea406cc49bcf74d7aa8ae8d809890c743e2c309329a94406c8",
    "elman_relu": "aff529ea803b42af8c54254e12ab7b4e3a44e5c58d39e3395fbaab7a84692ea8",
    "lstm": "5589ce2c01b6ecfe0425911e9d6bd78083ac3d4cebc7ec5b9ef768b00eecaf7f",
    "mingru": "b78bc0a36d4d10def3f5a2c3716ed4ad84cbf3cc43c4e81e9a05c1f87afc6323",
    "mogrifier": "3a4d549750e0a0a135c0891245fe7a105fddeed8025f832bca568407fa76fcc3",
    "gru": "62b6c3a71e21c0d60377be5791c67e7ec666249b51e174888078146b027e3564",
}


@pytest.mark.parametrize("cell", CELLS)
def test_names_shapes_and_types(cell: str) -> None:
    config = config_of(cell, hidden_size=7, layers=2)
    parameters = initialize(config, 5, seed=0, scale=None)
    assert {name: array.shape for name, array in parameters.items()} == parameter_shapes(config, 5)
    assert {array.dtype for array in parameters.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("cell", [name for name in cells.CELLS if "layers.0.W" in parameter_shapes(config_of(name), 5)])
def test_gate_blocks_are_orthogonal_and_different(cell: str) -> None:
    parameters = initialize(config_of(cell, hidden_size=20, layers=2), 5, seed=0, scale=None)
    blocks = [block for layer in (0, 1) for block in parameters[f"layers.{layer}.W"].reshape(-1, 20, 20)]
    for block in blocks:
        np.testing.assert_allclose(block.T @ block, np.eye(20), atol=1e-6)
    assert len({block.tobytes() for block in blocks}) == len(blocks)


def test_relu_starts_with_half_the_identity() -> None:
    parameters = initialize(config_of("elman_relu", hidden_size=100, layers=2), 80, seed=0, scale=None)
    for layer in (0, 1):
        assert np.array_equal(parameters[f"layers.{layer}.W"], 0.5 * np.eye(100))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("symbols", [80, 320])
def test_standard_deviations_of_u_and_v(cell: str, symbols: int) -> None:
    """In layer 0 it does not depend on K, because x is one-hot. An upper layer and V have H inputs."""
    config = config_of(cell, hidden_size=100, layers=2)
    parameters = initialize(config, symbols, seed=0, scale=None)
    assert parameters["layers.0.U"].std() == pytest.approx(character_deviation(config), rel=0.03)
    assert parameters["layers.1.U"].std() == pytest.approx(0.1, rel=0.03)
    assert parameters["V"].std() == pytest.approx(0.1, rel=0.03)


@pytest.mark.parametrize("cell", CELLS)
def test_biases_are_zero_except_the_forget_gate(cell: str) -> None:
    parameters = initialize(config_of(cell, hidden_size=3, layers=2), 5, seed=0, scale=None)
    for name, array in parameters.items():
        if array.ndim == 1:
            forget = [0] * 3 + [1] * 3 + [0] * 6
            assert array.tolist() == (forget if cell in ("lstm", "mogrifier") and name != "c" else [0] * len(array)), (
                name
            )


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_initial_probabilities_are_nearly_uniform(layers: int, cell: str) -> None:
    config = config_of(cell, hidden_size=100, layers=layers)
    parameters = initialize(config, 80, seed=0, scale=None)
    ids = np.random.default_rng(0).integers(0, 80, (20, 10))
    loss, _, _ = network.loss_and_gradients(config, parameters, ids[:-1], ids[1:])
    assert loss / (19 * 10) == pytest.approx(math.log(80), rel=0.15)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gradient_reaches_back_many_time_steps(cell: str) -> None:
    """More of the last step's gradient reaches the first step than with small normal weights."""
    config = config_of(cell, hidden_size=50)
    ids = np.random.default_rng(0).integers(0, 20, (30, 1))
    zero = network.zero_state(config, 1)

    def reaches_back(scale: float | None) -> float:
        parameters = initialize(config, 20, seed=0, scale=scale)
        passed = network.forward(config, parameters, ids, zero)
        dstate = type(zero)._make(np.ones_like(field) for field in zero)
        with_later = network.backward(config, parameters, passed, ids, dstate)
        without = network.backward(config, parameters, passed, ids)
        return float(np.linalg.norm(with_later.state.h - without.state.h))

    assert reaches_back(None) > 10 * reaches_back(0.01)


def test_random_stream_depends_on_the_name() -> None:
    config = config_of("gru", hidden_size=6, layers=2)
    five, seven = (initialize(config, symbols, seed=1, scale=None) for symbols in (5, 7))
    assert np.array_equal(five["layers.0.W"], seven["layers.0.W"])
    assert np.array_equal(five["layers.1.U"], seven["layers.1.U"])
    assert not np.array_equal(five["layers.0.W"], initialize(config, 5, seed=2, scale=None)["layers.0.W"])


@pytest.mark.parametrize("cell", CELLS)
def test_initial_values_have_the_same_bits_everywhere(cell: str) -> None:
    assert digest(initialize(config_of(cell, hidden_size=9, layers=2), 5, seed=0, scale=None)) == GOLDEN[cell]

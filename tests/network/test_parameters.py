"""Parameters: names, shapes, initial values, digest, and validation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recurra.config import ModelConfig
from recurra.errors import ModelError
from recurra.network.parameters import (
    check_parameters,
    count,
    digest,
    initialize,
    parameter_shapes,
)

CONFIG = ModelConfig(hidden_size=3, layers=2)
GOLDEN_DIGEST = "9afbc7d90393cb4a564a8bb2221182d720f160e72bbaeffb0b31219d867c17a0"


def test_names_and_shapes_in_the_fixed_order() -> None:
    assert list(parameter_shapes(CONFIG, 5).items()) == [
        ("layers.0.U", (3, 5)),
        ("layers.0.W", (3, 3)),
        ("layers.0.b", (3,)),
        ("layers.1.U", (3, 3)),
        ("layers.1.W", (3, 3)),
        ("layers.1.b", (3,)),
        ("V", (5, 3)),
        ("c", (5,)),
    ]


def test_network_of_the_report_has_25878_parameters() -> None:
    parameters = initialize(ModelConfig(hidden_size=100), 78, seed=0)
    assert count(parameters) == 100 * 78 + 100 * 100 + 100 + 78 * 100 + 78


def test_weights_are_small_normals_and_biases_zero() -> None:
    parameters = initialize(ModelConfig(hidden_size=100), 80, seed=1)
    assert list(parameters) == list(parameter_shapes(ModelConfig(hidden_size=100), 80))
    for name, array in parameters.items():
        assert array.dtype == np.float32
        if array.ndim == 2:
            assert array.std() == pytest.approx(0.01, rel=0.03), name
            assert array.mean() == pytest.approx(0, abs=0.0005), name
        else:
            assert not array.any(), name


def test_scale_multiplies_the_same_numbers() -> None:
    small, large = (initialize(CONFIG, 5, seed=1, scale=scale) for scale in (0.25, 0.5))
    assert all(np.array_equal(large[name], 2 * small[name]) for name in small)


def test_matrices_are_independent_of_other_shapes() -> None:
    five, seven = initialize(CONFIG, 5, seed=1), initialize(CONFIG, 7, seed=1)
    assert np.array_equal(five["layers.0.W"], seven["layers.0.W"])
    assert not np.array_equal(five["layers.0.W"], five["layers.1.W"])
    assert not np.array_equal(five["layers.0.W"], initialize(CONFIG, 5, seed=2)["layers.0.W"])


def test_initial_values_have_the_same_bits_everywhere() -> None:
    assert digest(initialize(CONFIG, 5, seed=0)) == GOLDEN_DIGEST


def test_digest_covers_names_types_shapes_and_values() -> None:
    base = {"V": np.arange(6, dtype=np.float32).reshape(2, 3), "c": np.ones(2, np.float32)}
    others = [
        {"W": base["V"], "c": base["c"]},
        base | {"c": base["c"].astype(np.float64)},
        base | {"V": base["V"].reshape(3, 2)},
        base | {"V": -base["V"]},
    ]
    assert len({digest(base), *map(digest, others)}) == 5


def test_digest_ignores_order_and_memory_layout() -> None:
    base = {"V": np.arange(6, dtype=np.float32).reshape(2, 3), "c": np.ones(2, np.float32)}
    big_endian = {"c": base["c"].astype(">f4"), "V": np.asfortranarray(base["V"])}
    assert digest(big_endian) == digest(base)


def test_initial_parameters_are_valid() -> None:
    check_parameters(CONFIG, 5, initialize(CONFIG, 5, seed=0))


ALL = r"layers\.0\.U, layers\.0\.W, layers\.0\.b, layers\.1\.U, layers\.1\.W, layers\.1\.b, V, c"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers.2.U": np.zeros((3, 3), np.float32)}, rf"unknown parameter `layers\.2\.U`; expected {ALL}\."),
        ({"c": None}, rf"parameter `c` is missing; expected {ALL}\."),
        ({"V": np.zeros((3, 5), np.float32)}, r"parameter `V` must have shape 5x3; got 3x5\."),
        ({"c": np.float32(1)}, r"parameter `c` must have shape 5; got scalar\."),
        ({"c": np.zeros(5)}, r"parameter `c` must be float32; got float64\."),
        ({"c": np.array([0, 0, np.nan, 0, 0], np.float32)}, r"parameter `c` must be finite; got nan\."),
        ({"c": np.array([0, 0, 0, -np.inf, 0], np.float32)}, r"parameter `c` must be finite; got -inf\."),
    ],
)
def test_invalid_parameters_raise(change: dict[str, Any], message: str) -> None:
    parameters = initialize(CONFIG, 5, seed=0) | change
    parameters = {name: array for name, array in parameters.items() if array is not None}
    with pytest.raises(ModelError, match=message):
        check_parameters(CONFIG, 5, parameters)

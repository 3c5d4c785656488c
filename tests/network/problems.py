"""Small networks to test with: T, B, H and K all different, states that are not zero, weights that matter."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recurra.config import ModelConfig
from recurra.network.network import State
from recurra.network.parameters import parameter_shapes

Array = npt.NDArray[Any]


class Problem(NamedTuple):
    """Everything that a loss depends on."""

    config: ModelConfig
    parameters: dict[str, Array]
    inputs: Array
    targets: Array
    state: State


def problem(
    *, T: int = 6, B: int = 2, H: int = 3, K: int = 5, layers: int = 1, scale: float = 0.7, seed: int = 0
) -> Problem:
    """A network of normal numbers times `scale`, biases too, on random ids after a random state."""
    random = np.random.default_rng(seed)
    config = ModelConfig(hidden_size=H, layers=layers)
    shapes = parameter_shapes(config, K)
    return Problem(
        config,
        {name: scale * random.standard_normal(shape) for name, shape in shapes.items()},
        random.integers(0, K, (T, B)),
        random.integers(0, K, (T, B)),
        State(h=np.tanh(random.standard_normal((layers, B, H)))),
    )

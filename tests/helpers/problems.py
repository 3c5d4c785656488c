"""Small networks for tests, with different T, B, H and K, nonzero states and large weights.

T time steps, B streams, H hidden units, K symbols, L layers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recurra.config import ModelConfig
from recurra.network import cells
from recurra.network.cells import cell_of
from recurra.network.gradient_check import COMPLEX_TOLERANCE, Figures
from recurra.network.parameters import parameter_shapes

Array = npt.NDArray[Any]

NETWORKS: dict[str, dict[str, Any]] = {
    spec.variant(activation): {"cell": name, "activation": activation}
    for name, spec in cells.CELLS.items()
    for activation in spec.activations
}
CELLS = tuple(NETWORKS)
"""Every cell with each of its activations: elman, elman_relu, lstm …"""


class Problem(NamedTuple):
    """The network, the batch and the initial state of a loss."""

    config: ModelConfig
    parameters: dict[str, Array]
    inputs: Array
    targets: Array
    state: Any


def config_of(cell: str, **sizes: Any) -> ModelConfig:
    """Return the settings of a network of one of `CELLS`."""
    return ModelConfig(**NETWORKS[cell], **sizes)


def problem(
    cell: str = "elman",
    *,
    T: int = 6,
    B: int = 2,
    H: int = 3,
    K: int = 5,
    layers: int = 1,
    scale: float = 0.7,
    seed: int = 0,
) -> Problem:
    """Draw all parameters from a normal distribution times `scale`, and random ids and an initial state."""
    random = np.random.default_rng(seed)
    config = config_of(cell, hidden_size=H, layers=layers)
    shapes = parameter_shapes(config, K)
    return Problem(
        config,
        {name: scale * random.standard_normal(shape) for name, shape in shapes.items()},
        random.integers(0, K, (T, B)),
        random.integers(0, K, (T, B)),
        cell_of(config).state(
            *(np.tanh(random.standard_normal((layers, B, H))) for _ in cell_of(config).state._fields)
        ),
    )


def masks_of(p: Problem, dropped: float = 0.4, seed: int = 1) -> Array:
    """Return dropout masks (L - 1, B, H), each with at least one dropped and one kept unit."""
    shape = (p.config.layers - 1, *p.state.h.shape[1:])
    kept = np.random.default_rng(seed).random(shape) >= dropped
    kept[..., 0], kept[..., -1] = True, False
    return kept / (1 - dropped)


def failures(figures: dict[str, Figures], tolerance: float = COMPLEX_TOLERANCE) -> list[str]:
    """Return the names of the gradients that differ from the complex step by more than `tolerance`, or are NaN."""
    return [name for name, figure in figures.items() if not figure.max_rel_complex <= tolerance]

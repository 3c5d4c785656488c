"""The distribution that a sampler draws from, in strict float32."""

from __future__ import annotations

import numpy as np

from recurra.engines.kernels.arithmetic import exp
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import WIDTH, Vector, load, store


@strict
def exponentiate(x: Vector) -> None:
    """x becomes e^x, 0 below -87; x (1, a multiple of 16)."""
    for column in range(0, x.shape[1], WIDTH):
        store(x, 0, column, exp(load(x, 0, column, (0,))))


def tempered_weights(log_probabilities: Vector, temperature: float) -> Vector:
    """w_k = exp((log p_k - max log p) / temperature), not normalised: (K,) float32 in and out; temperature > 0."""
    padded = np.full((1, -(-len(log_probabilities) // WIDTH) * WIDTH), -np.inf, np.float32)
    with np.errstate(over="ignore"):
        shifted = log_probabilities - log_probabilities.max()
        padded[0, : len(log_probabilities)] = shifted / np.float32(temperature)
    exponentiate(padded)
    return padded[0, : len(log_probabilities)]

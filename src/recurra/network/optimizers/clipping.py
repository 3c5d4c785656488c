"""Clip gradients by value or by norm. Clipping hides infinity and NaN: call `require_finite` first."""

from __future__ import annotations

import numpy as np

from recurra.network.parameters import Array, Parameters


def clip_by_value(gradients: Parameters, limit: float) -> dict[str, Array]:
    """Return the gradients with every element clipped to [-limit, limit]."""
    return {name: np.clip(g, -limit, limit) for name, g in gradients.items()}


def clip_by_norm(gradients: Parameters, limit: float) -> dict[str, Array]:
    """Return the gradients, scaled by limit / norm if their global norm exceeds `limit`.

    Source: R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks", ICML 2013,
    algorithm 1.

    Differences: PyTorch divides by norm + 1e-6.
    """
    norm = global_norm(gradients)
    if norm <= limit:
        return dict(gradients)
    return {name: g * (limit / norm) for name, g in gradients.items()}


def global_norm(gradients: Parameters) -> float:
    """Return the Euclidean norm of all arrays together, computed in float64."""
    return float(np.sqrt(sum(float(np.sum(np.square(g, dtype=np.float64))) for g in gradients.values())))

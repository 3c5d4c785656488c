"""Clip gradients by value or by norm. A clip hides infinity and NaN: call `require_finite` first."""

from __future__ import annotations

import numpy as np

from recurra.network.parameters import Array, Parameters


def clip_by_value(gradients: Parameters, limit: float) -> dict[str, Array]:
    """Every element brought into [-limit, limit]."""
    return {name: np.clip(g, -limit, limit) for name, g in gradients.items()}


def clip_by_norm(gradients: Parameters, limit: float) -> dict[str, Array]:
    """All arrays times limit / norm where their global norm exceeds `limit`, else as they are.

    Source: R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks", ICML 2013,
    algorithm 1. Others differ: PyTorch divides by norm + 1e-6.
    """
    norm = global_norm(gradients)
    if norm <= limit:
        return dict(gradients)
    return {name: g * (limit / norm) for name, g in gradients.items()}


def global_norm(gradients: Parameters) -> float:
    """The square root of the sum of squares over all elements of all the arrays, in float64."""
    return float(np.sqrt(sum(float(np.sum(np.square(g, dtype=np.float64))) for g in gradients.values())))

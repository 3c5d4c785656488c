"""The optimizer step on the flat array of all parameters, in pieces that fit in the cache of a core.

Every optimizer updates each element independently. Therefore the bits depend neither on the pieces nor on the cores.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recurra.config import TrainingConfig
from recurra.engines.flat_parameters import FLAT, FlatLayout, flatten_state
from recurra.engines.in_place_optimizers import Scalars, in_place_optimizer_of
from recurra.engines.kernels.lanes import Vector
from recurra.engines.kernels.optimizers import clip_values
from recurra.engines.thread_team import ONE_THREAD, Team
from recurra.network.optimizers.pure_optimizer import is_scalar
from recurra.network.parameters import Array

PIECE_NUMBERS = 32768  # elements of a piece; the four arrays of Adam then have 512 KiB


def clip(gradient: Vector, norm: float, training: TrainingConfig) -> Vector:
    """Clip `gradient`, which has the norm `norm`, in place: by norm, then by value, if the settings demand it."""
    limit, value = training.clip_norm, training.clip_value
    if limit is not None and norm > limit:
        gradient *= np.float32(limit / norm)
    if value is not None:
        clip_values(gradient, np.float32(value))
    return gradient


def slices(numbers: int) -> list[slice]:
    """Return the bounds of the pieces of an array of `numbers` elements."""
    return [slice(start, start + PIECE_NUMBERS) for start in range(0, numbers, PIECE_NUMBERS)]


class FlatOptimizer:
    """The optimizer that the settings name, for a flat array of parameters (1, N), and the optimizer state."""

    def __init__(self, training: TrainingConfig, flat: Vector) -> None:
        self._optimizer = in_place_optimizer_of(training)
        self.state = self._optimizer.init({FLAT: flat})

    def load(self, saved: Mapping[str, Array], layout: FlatLayout) -> None:
        """Continue from a `saved` state, which has an array `KIND.NAME` for each parameter."""
        for name, array in flatten_state(self.state, saved, layout).items():
            self.state[name][...] = array

    def step(self, flat: Vector, gradient: Vector, rate: float, team: Team = ONE_THREAD) -> None:
        """Update `flat` in place; the threads of `team` share the pieces."""
        parts = slices(flat.shape[1])

        def update(number: int) -> Scalars:
            part = parts[number]
            state = {name: array if is_scalar(name) else array[:, part] for name, array in self.state.items()}
            with np.errstate(over="ignore", invalid="ignore"):  # the trainer reports a parameter that is not finite
                return self._optimizer.update({FLAT: flat[:, part]}, {FLAT: gradient[:, part]}, state, rate)

        *_, scalars = team.each(update, len(parts))
        self.state |= scalars

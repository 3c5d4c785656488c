"""The optimizer step on all parameters end to end, in pieces that fit in the cache of a core.

Every optimizer works on each number alone, so that neither the pieces nor the cores change a bit.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np

from recurra.config import TrainingConfig
from recurra.engines.flat_parameters import FLAT, FlatLayout, flatten_state
from recurra.engines.kernels import optimizers as kernels
from recurra.engines.kernels.lanes import Vector
from recurra.engines.thread_team import ONE_THREAD, Team
from recurra.network.optimizers import OPTIMIZERS, Optimizer, OptimizerState, adam_init, optimizer_of
from recurra.network.optimizers.adaptive import BETA1, BETA2, EPSILON, WEIGHT_DECAY
from recurra.network.parameters import Array, Parameters

SLICE_SIZE = 32768  # numbers; Adam's four arrays of it are 512 KiB


def adamw_update(
    parameters: Parameters,
    gradients: Parameters,
    state: OptimizerState,
    rate: float,
    *,
    beta1: float = BETA1,
    beta2: float = BETA2,
    epsilon: float = EPSILON,
    weight_decay: float = WEIGHT_DECAY,
) -> tuple[dict[str, Array], OptimizerState]:
    """`adaptive.adamw_update` in one pass of a kernel, the same bits in float32; arrays (1, n), changed in place."""
    w1 = beta1 * state["mean_weight"] + (1 - beta1)
    w2 = beta2 * state["squares_weight"] + (1 - beta2)
    kept, step, scale = np.float32(1 - rate * weight_decay), (rate / w1)[0], (1 / np.sqrt(w2))[0]
    for name, theta in parameters.items():
        own = (theta, state[f"mean.{name}"], state[f"squares.{name}"], gradients[name])
        kernels.adamw(*own, kept, step, scale, _betas(beta1, beta2), np.float32(epsilon))
    return dict(parameters), state | {"mean_weight": w1, "squares_weight": w2}


def adam_update(
    parameters: Parameters, gradients: Parameters, state: OptimizerState, rate: float, **named: float
) -> tuple[dict[str, Array], OptimizerState]:
    """`adaptive.adam_update` as a kernel: no decay."""
    return adamw_update(parameters, gradients, state, rate, weight_decay=0.0, **named)


@functools.lru_cache
def _betas(beta1: float, beta2: float) -> Vector:
    """Return beta1, 1 - beta1, beta2 and 1 - beta2 as the kernel takes them."""
    return np.array([beta1, 1 - beta1, beta2, 1 - beta2], np.float32)


COMPILED = OPTIMIZERS | {"adam": Optimizer(adam_init, adam_update), "adamw": Optimizer(adam_init, adamw_update)}


def clip(gradient: Vector, norm: float, training: TrainingConfig) -> Vector:
    """The `gradient` of this norm, in place: clipped as the settings say, by norm and then by value."""
    limit, value = training.clip_norm, training.clip_value
    if limit is not None and norm > limit:
        gradient *= np.float32(limit / norm)
    if value is not None:
        np.clip(gradient, -value, value, out=gradient)
    return gradient


def slices(numbers: int) -> list[slice]:
    """Where the pieces of so many numbers lie."""
    return [slice(start, start + SLICE_SIZE) for start in range(0, numbers, SLICE_SIZE)]


class FlatOptimizer:
    """The optimizer of a training for the parameters `flat` (1, N), and its state."""

    def __init__(self, training: TrainingConfig, flat: Vector) -> None:
        self._optimizer = optimizer_of(training, COMPILED)
        self.state = self._optimizer.init({FLAT: flat})

    def load(self, saved: Mapping[str, Array], layout: FlatLayout) -> None:
        """Go on from a state that was `saved` by the parameters' names."""
        for name, array in flatten_state(self.state, saved, layout).items():
            self.state[name][...] = array

    def step(self, flat: Vector, gradient: Vector, rate: float, team: Team = ONE_THREAD) -> None:
        """One update of `flat` in place, the pieces shared out in `team`."""
        parts = slices(flat.shape[1])

        def update(number: int) -> OptimizerState:
            part = parts[number]
            own = {name: array[:, part] if name.endswith(FLAT) else array for name, array in self.state.items()}
            with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is found and told by name
                updated, new = self._optimizer.update({FLAT: flat[:, part]}, {FLAT: gradient[:, part]}, own, rate)
            flat[:, part] = updated[FLAT]
            for name in filter(lambda name: name.endswith(FLAT), new):
                own[name][...] = new[name]
            return {name: array for name, array in new.items() if not name.endswith(FLAT)}

        *_, numbers = team.each(update, len(parts))
        self.state |= numbers

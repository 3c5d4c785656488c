"""The reference engine: the equations of `network` in float64, one update after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.config import ModelConfig, TrainingConfig
from recurra.engines.result import TrainResult
from recurra.network import network, optimizers
from recurra.network.dropout import masks_of_update
from recurra.network.network import State

Array = NDArray[Any]


class ReferenceEngine:
    """Training as the equations say it, for any network and batch."""

    name = "reference"
    device = "cpu"
    block = 20  # updates in one call at most, so that progress is seen

    def __init__(
        self,
        config: ModelConfig,
        training: TrainingConfig,
        parameters: Mapping[str, Array],
        *,
        optimizer_state: Mapping[str, Array] | None = None,
        state: State | None = None,
        updates_done: int = 0,
    ) -> None:
        self.updates_done = updates_done
        self._config, self._training = config, training
        self._optimizer = optimizers.optimizer_of(training)
        self._parameters = _float64(parameters)
        self._optimizer_state = _float64(
            self._optimizer.init(self._parameters) if optimizer_state is None else optimizer_state
        )
        self._state = network.zero_state(config, training.batch_size)
        if state is not None:
            self._state = type(self._state)(*(field.astype(np.float64) for field in state))

    def train(
        self,
        inputs: NDArray[np.integer],
        targets: NDArray[np.integer],
        rates: NDArray[np.float32],
        *,
        carry: bool = True,
    ) -> TrainResult:
        """n updates on the ids `inputs` and `targets` (n, T, B) at `rates` (n,).

        Where `carry`, the state goes on from update to update; else every update begins with a zero state. A target
        below 0 is padding, without loss and gradient.

        Raises NumericalError at the update whose loss or gradient is not finite.
        """
        losses, norms = np.zeros(len(inputs)), np.zeros(len(inputs))
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is found and told by name
            for i, rate in enumerate(rates):
                if not carry:
                    self.zero_state()
                losses[i], norms[i] = self._update(inputs[i], targets[i], float(rate))
        return TrainResult(losses, norms)

    def _update(self, inputs: Array, targets: Array, rate: float) -> tuple[float, float]:
        training = self._training
        masks = masks_of_update(self._config, training.batch_size, training.dropout, training.seed, self.updates_done)
        loss, gradients, state = network.loss_and_gradients(
            self._config, self._parameters, inputs, targets, self._state, masks=masks
        )
        gradients = {name: gradients[name] for name in self._parameters}
        optimizers.require_finite(loss, gradients, self.updates_done + 1)
        norm = optimizers.global_norm(gradients)
        if self._training.clip_norm is not None:
            gradients = optimizers.clip_by_norm(gradients, self._training.clip_norm)
        if self._training.clip_value is not None:
            gradients = optimizers.clip_by_value(gradients, self._training.clip_value)
        self._parameters, self._optimizer_state = self._optimizer.update(
            self._parameters, gradients, self._optimizer_state, rate
        )
        self._state = state
        self.updates_done += 1
        return loss, norm

    @property
    def is_warm(self) -> bool:
        """Always: nothing is compiled."""
        return True

    def warm_up(self) -> None:
        """Nothing is to be compiled."""

    def parameters(self) -> dict[str, Array]:
        """Copies of the parameters, float64."""
        return {name: array.copy() for name, array in self._parameters.items()}

    def optimizer_state(self) -> dict[str, Array]:
        """Copies of the optimiser's state, float64."""
        return {name: array.copy() for name, array in self._optimizer_state.items()}

    def state(self) -> State:
        """A copy of the carried state, (L, B, m)."""
        state: State = type(self._state)(*(field.copy() for field in self._state))
        return state

    def zero_state(self) -> None:
        """Every stream begins anew."""
        self._state = network.zero_state(self._config, self._training.batch_size)


def _float64(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: array.astype(np.float64) for name, array in arrays.items()}

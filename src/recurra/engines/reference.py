"""The reference engine: the equations of `network` in float64, one update after the other."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import numpy as np

from recurra.config import ModelConfig, TrainingConfig
from recurra.engines.engine import Array, Batches, Start, StepwiseEngine, Update
from recurra.network import network, optimizers
from recurra.network.dropout import masks_of_update
from recurra.network.network import State
from recurra.network.state import map_state


class ReferenceEngine(StepwiseEngine):
    """Training with the equations of `network`, for any network and batch."""

    name = "reference"
    device = "cpu"

    def __init__(self, config: ModelConfig, training: TrainingConfig, start: Start) -> None:
        super().__init__(config, training, start)
        self._optimizer = optimizers.optimizer_of(training)
        self._state: State
        self._parameters = _float64(start.parameters)
        saved = start.optimizer_state
        self._optimizer_state = _float64(self._optimizer.init(self._parameters) if saved is None else saved)
        self._put_state(network.zero_state(config, training.batch_size) if start.state is None else start.state)

    @contextlib.contextmanager
    def _updating(self, inputs: Batches, targets: Batches) -> Iterator[Update]:
        with np.errstate(over="ignore", invalid="ignore"):  # `require_finite` reports the tensor
            yield lambda i, rate: self._update(inputs[i], targets[i], rate)

    def _update(self, inputs: Array, targets: Array, rate: float) -> tuple[float, float]:
        masks = masks_of_update(self._config, self._training, self._updates_done)
        loss, gradients, state = network.loss_and_gradients(
            self._config, self._parameters, inputs, targets, self._state, masks=masks
        )
        gradients = {name: gradients[name] for name in self._parameters}
        optimizers.require_finite(loss, gradients, self._updates_done + 1)
        norm = optimizers.global_norm(gradients)
        if self._training.clip_norm is not None:
            gradients = optimizers.clip_by_norm(gradients, self._training.clip_norm)
        if self._training.clip_value is not None:
            gradients = optimizers.clip_by_value(gradients, self._training.clip_value)
        self._parameters, self._optimizer_state = self._optimizer.update(
            self._parameters, gradients, self._optimizer_state, rate
        )
        self._state = state
        return loss, norm

    def warm_up(self) -> None:
        """Do nothing: this engine compiles nothing."""

    def parameters(self) -> dict[str, Array]:
        return {name: array.copy() for name, array in self._parameters.items()}

    def magnitudes(self) -> dict[str, float]:
        return {name: optimizers.magnitude(array) for name, array in self._parameters.items()}

    def optimizer_state(self) -> dict[str, Array]:
        return {name: array.copy() for name, array in self._optimizer_state.items()}

    def state(self) -> State:
        state: State = map_state(lambda field: field.copy(), self._state)
        return state

    def _put_state(self, state: State) -> None:
        self._state = map_state(lambda field: field.astype(np.float64), state)


def _float64(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: array.astype(np.float64) for name, array in arrays.items()}

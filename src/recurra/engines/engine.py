"""The interface of every engine: `Engine`, and the data that it exchanges with the trainer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from recurra.config import ModelConfig, TrainingConfig
from recurra.network.network import State, zero_state

Array = NDArray[Any]
Batches = NDArray[np.integer]  # ids (n, T, B) of n updates
Rates = NDArray[np.float32]  # (n,)
Update = Callable[[int, float], tuple[float, float]]


class Start(NamedTuple):
    """The state from which training starts (the parameters only) or resumes.

    Every engine accepts the `Start` of any other engine.
    """

    parameters: Mapping[str, Array]
    optimizer_state: Mapping[str, Array] | None = None
    state: State | None = None
    updates_done: int = 0


class GradientSum(Protocol):
    """The sum of the gradients of all shards in all processes."""

    def sum_shards(self, gradients: Sequence[Array], losses: Sequence[float]) -> list[float]:
        """Write the sum of all gradients to the first of `gradients`, (1, N) each; return the losses of all shards."""


class ProcessGroup(Protocol):
    """The processes that train one model together, from the view of one process.

    `distributed.ranks.Ranks` implements this interface.

    rank        the number of this process, from 0
    size        the number of processes
    local_rank  the number of this process on its machine, from 0
    cpus        the CPUs that this process may use
    """

    rank: int
    size: int
    local_rank: int

    @property
    def cpus(self) -> int: ...

    def gradient_sum(self, numbers: int, shards: int) -> GradientSum:
        """Return an object that sums gradients of N = `numbers` elements, from `shards` shards in each process."""

    def add(self, tensor: Any) -> None:
        """Sum a PyTorch tensor over all processes, in place."""


class TrainResult(NamedTuple):
    """The results of n updates, one number for each.

    losses: (n,) in nats, summed over the T · B characters
    gradient_norms: (n,), the Euclidean norm of all gradients together, before clipping
    """

    losses: NDArray[np.float64]
    gradient_norms: NDArray[np.float64]


class Engine(ABC):
    """A network in training. If several processes train it, each engine trains a part of the B streams.

    The arrays that an engine returns are copies, with the shapes of `network.parameters` and the engine's precision.
    """

    name: str  # the value of the option --engine
    device: str  # the name of the GPU, or "cpu"
    block: int  # most updates in one call of `train`; between calls the trainer reports progress and handles Ctrl-C

    @abstractmethod
    def train(self, inputs: Batches, targets: Batches, rates: Rates, *, carry: bool = True) -> TrainResult:
        """Make n updates and return their losses and gradient norms.

        `inputs` and `targets` are ids (n, T, B), T at most `sequence_length`; a target below 0 is padding, without loss
        and gradient. `rates` (n,) are the learning rates. If `carry` is True, each update starts from the state in
        which the previous one ended; otherwise every update starts from a zero state.

        Raises NumericalError if the loss or the gradient of an update is not finite; the engine cannot continue then.
        """

    @abstractmethod
    def warm_up(self) -> None:
        """Compile or load everything that the first update needs, without changing the network."""

    @abstractmethod
    def parameters(self) -> dict[str, Array]:
        """Return the parameters by name."""

    @abstractmethod
    def magnitudes(self) -> dict[str, float]:
        """Return the largest absolute value in each parameter, without copying it; NaN if an element is NaN."""

    @abstractmethod
    def optimizer_state(self) -> dict[str, Array]:
        """Return the optimizer state: `KIND.NAME` for each parameter, and the scalars `KIND`."""

    @abstractmethod
    def state(self) -> State:
        """Return the state with which the next update starts; each field is (L, B, H)."""

    @abstractmethod
    def zero_state(self) -> None:
        """Set the state of every stream to zero."""


class StepwiseEngine(Engine):
    """An engine that calls a Python function for every update."""

    block = 20

    def __init__(self, config: ModelConfig, training: TrainingConfig, start: Start) -> None:
        self._config, self._training, self._updates_done = config, training, start.updates_done

    def train(self, inputs: Batches, targets: Batches, rates: Rates, *, carry: bool = True) -> TrainResult:
        losses, norms = np.zeros(len(inputs)), np.zeros(len(inputs))
        with self._updating(inputs, targets) as update:
            for i, rate in enumerate(rates):
                if not carry:
                    self.zero_state()
                losses[i], norms[i] = update(i, float(rate))
                self._updates_done += 1
        return TrainResult(losses, norms)

    @abstractmethod
    def _updating(self, inputs: Batches, targets: Batches) -> AbstractContextManager[Update]:
        """Return a context whose value makes update i at a learning rate, and returns its loss and gradient norm."""

    @abstractmethod
    def _put_state(self, state: State) -> None:
        """Start the next update from `state`, which has all streams."""

    def zero_state(self) -> None:
        self._put_state(zero_state(self._config, self._training.batch_size))

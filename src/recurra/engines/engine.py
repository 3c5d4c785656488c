"""The interface of every engine: parameters and batches in, losses and new parameters out."""

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
    """What a training goes on from, as any engine gave it away; the parameters alone where it begins."""

    parameters: Mapping[str, Array]
    optimizer_state: Mapping[str, Array] | None = None
    state: State | None = None
    updates_done: int = 0


class GradientSum(Protocol):
    """The sum of the gradients of all shards in all processes."""

    def sum_shards(self, gradients: Sequence[Array], losses: Sequence[float]) -> list[float]:
        """Put the sum of all gradients into the first of `gradients`, (1, N) each; return the losses of all shards."""


class ProcessGroup(Protocol):
    """The processes that train one model together, seen from one of them; `distributed.ranks.Ranks` is one.

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
        """Return the sum over all processes for gradients of N = `numbers`, of `shards` in each process."""

    def add(self, tensor: Any) -> None:
        """Sum a tensor of PyTorch over all processes, in place."""


class TrainResult(NamedTuple):
    """One number an update: `losses` (n,) in nats, summed over the T · B characters, and `gradient_norms` (n,), the
    Euclidean norm of all gradients together before clipping.
    """

    losses: NDArray[np.float64]
    gradient_norms: NDArray[np.float64]


class Engine(ABC):
    """A training under way. As one of several processes it trains a part of the B streams.

    All that it gives away is a copy, in the reference's orientation and in its own precision.
    """

    name: str  # as users know it
    device: str  # the GPU's name, or cpu
    block: int  # updates in one call at most, so that progress is seen and an interrupt heard

    @abstractmethod
    def train(self, inputs: Batches, targets: Batches, rates: Rates, *, carry: bool = True) -> TrainResult:
        """n updates on the ids `inputs` and `targets` (n, T, B) at `rates` (n,), T at most `sequence_length`.

        Where `carry`, the state goes on from update to update; else every update begins with a zero state. A target
        below 0 is padding, without loss and gradient.

        Raises NumericalError at the update whose loss or gradient is not finite: the engine is then of no more use.
        """

    @abstractmethod
    def warm_up(self) -> None:
        """Make ready what the first update would wait for, without touching the network."""

    @abstractmethod
    def parameters(self) -> dict[str, Array]:
        """The parameters by name."""

    @abstractmethod
    def magnitudes(self) -> dict[str, float]:
        """Return the largest absolute value of each parameter, NaN if a number is NaN; nothing is copied."""

    @abstractmethod
    def optimizer_state(self) -> dict[str, Array]:
        """The optimizer's state, as `KIND.NAME`, and what it has besides."""

    @abstractmethod
    def state(self) -> State:
        """The state that is carried, each field (L, B, m)."""

    @abstractmethod
    def zero_state(self) -> None:
        """Every stream begins anew."""


class StepwiseEngine(Engine):
    """One update after the other, each a call."""

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
        """What does update i of these at a rate, and gives its loss and the gradient's norm."""

    @abstractmethod
    def _put_state(self, state: State) -> None:
        """Begin from the `state` of all streams."""

    def zero_state(self) -> None:
        self._put_state(zero_state(self._config, self._training.batch_size))

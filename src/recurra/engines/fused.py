"""Train one elman layer with tanh, one stream and AdaGrad in one fused kernel, in strict float32."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from recurra.config import HYPERPARAMETERS, ModelConfig, TrainingConfig
from recurra.engines.engine import Batches, Engine, Rates, Start, TrainResult
from recurra.engines.kernels import fused_elman, softmax
from recurra.engines.kernels.lanes import WIDTH, Tile, Vector, aligned_zeros
from recurra.engines.kernels.products import transpose_matrix
from recurra.errors import NumericalError
from recurra.network.cells import elman
from recurra.network.network import State
from recurra.network.optimizers import magnitude, not_finite

MAX_GROUPS = 16  # groups of 8 lanes in a tile: they fit in the registers of a CPU with AVX-512
TENSORS = ("layers.0.U", "layers.0.W", "layers.0.b", "V", "c")  # in the order of the squared norms from the kernel


class Tiling(NamedTuple):
    """A size, and the size padded to whole tiles: `width` lanes, in tiles of 8 · len(tile) lanes."""

    size: int
    width: int
    tile: Tile

    @classmethod
    def of(cls, size: int, unit: int = 1) -> Tiling:
        """Return the tiling of `size` with the fewest tiles that fit in the registers, each as narrow as possible.

        The number of groups of 8 lanes in a tile is a multiple of `unit`.
        """
        groups = -(-size // WIDTH)
        tiles = -(-groups // MAX_GROUPS)
        per_tile = -(-groups // (tiles * unit)) * unit
        return cls(size, WIDTH * per_tile * tiles, (0,) * per_tile)


def supports(config: ModelConfig, training: TrainingConfig) -> bool:
    """Return True if the fused kernel can train this network with these settings.

    The kernel supports one elman layer with tanh, one stream, AdaGrad with the default epsilon, and clipping by value;
    neither clipping by norm nor a moving average.
    """
    default_adagrad = training.optimizer == "adagrad" and training.epsilon == HYPERPARAMETERS["adagrad"]["epsilon"]
    supported_update = default_adagrad and training.clip_norm is None and not training.ema
    single_tanh_layer = (config.cell, config.activation, config.layers) == (elman.SPEC.name, "tanh", 1)
    return single_tanh_layer and training.batch_size == 1 and supported_update


def _round_up(size: int) -> int:
    """Return the next multiple of the vector width, at least `size`."""
    return -(-size // WIDTH) * WIDTH


def _workspace(hidden: Tiling, symbols: Tiling, steps: int) -> fused_elman.FusedWorkspace:
    sums = aligned_zeros(1, _round_up(steps))
    return fused_elman.FusedWorkspace(
        h=aligned_zeros(steps + 1, hidden.width),
        o=aligned_zeros(steps, symbols.width),
        da=aligned_zeros(steps, hidden.width),
        zeros=aligned_zeros(1, hidden.width),
        sums=sums,
        W=aligned_zeros(hidden.width, hidden.width),
        V=aligned_zeros(hidden.width, symbols.width),
        following=np.zeros(steps, np.int64),
        latest=np.full(symbols.size, -1, np.int64),
    )


def _first_steps(workspace: fused_elman.FusedWorkspace, steps: int) -> fused_elman.FusedWorkspace:
    """Return a view of the part of `workspace` that a sequence of `steps` time steps needs."""
    return workspace._replace(
        h=workspace.h[: steps + 1],
        o=workspace.o[:steps],
        da=workspace.da[:steps],
        sums=workspace.sums[:, : _round_up(steps)],
        following=workspace.following[:steps],
    )


def _blank(hidden: Tiling, symbols: Tiling) -> fused_elman.FusedWeights:
    return fused_elman.FusedWeights(
        U=aligned_zeros(symbols.size, hidden.width),
        W=aligned_zeros(hidden.width, hidden.width),
        b=aligned_zeros(1, hidden.width),
        V=aligned_zeros(symbols.width, hidden.width),
        c=aligned_zeros(1, symbols.width),
    )


def _views(weights: fused_elman.FusedWeights, hidden: Tiling, symbols: Tiling) -> dict[str, Vector]:
    """Return views of the parameters by name, without padding, in the shapes of `network.parameters`."""
    m, K = hidden.size, symbols.size
    return {
        "layers.0.U": weights.U[:, :m].T,
        "layers.0.W": weights.W[:m, :m],
        "layers.0.b": weights.b[0, :m],
        "V": weights.V[:K, :m],
        "c": weights.c[0, :K],
    }


def _fill(weights: fused_elman.FusedWeights, values: Mapping[str, Vector], hidden: Tiling, symbols: Tiling) -> None:
    for name, view in _views(weights, hidden, symbols).items():
        view[...] = values[name]


class FusedEngine(Engine):
    """Training, with many updates in one call of the kernel."""

    name = "compiled"
    device = "cpu"
    block = 1000

    def __init__(
        self,
        config: ModelConfig,  # noqa: ARG002 - every engine has this argument; `supports` has checked it
        training: TrainingConfig,
        start: Start,
    ) -> None:
        parameters, optimizer_state, state, self._updates_done = start
        self._hidden = Tiling.of(parameters["V"].shape[1])
        self._symbols = Tiling.of(parameters["V"].shape[0], unit=2)
        self._clip = np.float32(np.inf if training.clip_value is None else training.clip_value)
        self._weights = _blank(self._hidden, self._symbols)
        self._weights.c[:] = softmax.LOWEST
        self._squares = _blank(self._hidden, self._symbols)
        self._workspace = _workspace(self._hidden, self._symbols, training.sequence_length)
        _fill(self._weights, parameters, self._hidden, self._symbols)
        if optimizer_state is not None:
            squares = {name: optimizer_state[f"squares.{name}"] for name in TENSORS}
            _fill(self._squares, squares, self._hidden, self._symbols)
        if state is not None:
            self._workspace.h[0, : self._hidden.size] = state.h[0, 0]
        transpose_matrix(self._weights.W, self._workspace.W)
        transpose_matrix(self._weights.V, self._workspace.V)

    def train(self, inputs: Batches, targets: Batches, rates: Rates, *, carry: bool = True) -> TrainResult:
        count, steps, _ = inputs.shape
        losses = np.zeros(count)
        squares = np.zeros((count, len(TENSORS)), np.float32)
        done = fused_elman.train(
            np.ascontiguousarray(inputs, np.int64).reshape(count, steps),
            np.ascontiguousarray(targets, np.int64).reshape(count, steps),
            self._weights,
            self._squares,
            _first_steps(self._workspace, steps),
            rates,
            carry,
            self._clip,
            self._hidden.size,
            self._hidden.tile,
            self._symbols.tile,
            losses,
            squares,
        )
        if done < count:
            raise self._not_finite(done, float(losses[done]), squares[done])
        self._updates_done += count
        return TrainResult(losses, np.sqrt(squares.sum(axis=1, dtype=np.float64)))

    def _not_finite(self, done: int, loss: float, squares: Vector) -> NumericalError:
        update = self._updates_done + done + 1
        if not np.isfinite(loss):
            return not_finite("loss", str(loss), update)
        tensor = next(name for name, square in zip(TENSORS, squares, strict=True) if not np.isfinite(square))
        return not_finite(tensor, "too large, infinite or NaN", update)

    def warm_up(self) -> None:
        empty = np.zeros((0, self._workspace.o.shape[0], 1), np.int64)
        self.train(empty, empty, np.zeros(0, np.float32))

    def parameters(self) -> dict[str, Vector]:
        views = _views(self._weights, self._hidden, self._symbols)
        return {name: np.ascontiguousarray(view).copy() for name, view in views.items()}

    def magnitudes(self) -> dict[str, float]:
        views = _views(self._weights, self._hidden, self._symbols)
        return {name: magnitude(view) for name, view in views.items()}

    def optimizer_state(self) -> dict[str, Vector]:
        views = _views(self._squares, self._hidden, self._symbols)
        return {f"squares.{name}": np.ascontiguousarray(view).copy() for name, view in views.items()}

    def state(self) -> State:
        return State(h=self._workspace.h[0, : self._hidden.size].reshape(1, 1, -1).copy())

    def zero_state(self) -> None:
        self._workspace.h[0] = 0

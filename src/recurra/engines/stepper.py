"""Run a trained network step by step for any number of streams; each has the bits that it has alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.config import ModelConfig
from recurra.engines.fused_tiles import Tiling, is_single_tanh_layer
from recurra.engines.kernels import gemm, softmax, stepping
from recurra.engines.kernels.cell_kernels import InputWeights
from recurra.engines.kernels.cell_registry import KERNELS
from recurra.engines.kernels.choice import Rules
from recurra.engines.kernels.lanes import WIDTH, Tile, Vector, aligned_zeros
from recurra.engines.parameter_layout import Layout, padded_size, tile_width
from recurra.engines.thread_team import Team
from recurra.network.cells import cell_of
from recurra.network.network import State
from recurra.network.parameters import layer_parameters
from recurra.network.state import map_state
from recurra.system.system_info import usable_cpus

Array = NDArray[Any]
Ids = NDArray[np.integer]
STREAMS_PER_THREAD = 16  # streams that a thread of its own is worth


def part_of(states: Any, which: Any) -> Any:
    """Return a copy of the streams `which` of states (L, S, H): a slice, or another index into that axis."""
    return map_state(lambda field: np.ascontiguousarray(field[:, which]), states)


def put_part(states: Any, which: slice, part: Any) -> None:
    """Copy `part` into the streams `which` of states (L, S, H)."""
    for own, other in zip(states, part, strict=True):
        own[:, which] = other


def symbols_of(config: ModelConfig, symbols: int) -> tuple[int, Tile]:
    """The width of the output, a multiple of 16, and the tile in which exponentials are summed, as in training.

    A sum that goes on over zeros is the same: one lane group more, or where there are several tiles one tile more.
    """
    if not is_single_tanh_layer(config):
        return padded_size(symbols), tile_width(padded_size(symbols))
    tiling = Tiling.of(symbols)
    if tiling.width % gemm.PANEL == 0:
        return tiling.width, tiling.tile
    one = tiling.width == WIDTH * len(tiling.tile)
    return (tiling.width + WIDTH, (*tiling.tile, 0)) if one else (tiling.width + WIDTH * len(tiling.tile), tiling.tile)


class Stepper:
    """The trained network on any number of streams: it reads side by side, and writes in blocks."""

    def __init__(self, config: ModelConfig, parameters: Mapping[str, Array]) -> None:
        self._config, self.symbols = config, len(parameters["c"])
        self.width, self.symbol_tile = symbols_of(config, self.symbols)
        self._hidden, self._kernels = padded_size(config.hidden_size), KERNELS[config.cell]
        self.tile = tile_width(self._hidden)
        layout = Layout(config, self.symbols)
        self._views = layout.views(layout.pack_weights(parameters))
        self._arrangements = {single_stream: self._arranged(single_stream) for single_stream in (False, True)}

    def weights(self, streams: int) -> stepping.NetworkWeights:
        """Return the weights as the kernels read them for so many streams."""
        return self._arrangements[streams == 1]

    def _arranged(self, single_stream: bool) -> stepping.NetworkWeights:
        """The weights for many streams, or for one, which reads recurrent matrices as they stand."""

        def pack(matrices: list[Vector]) -> Vector:
            return _stacked(matrices, single_stream)

        layers = [layer_parameters(self._views, number) for number in range(self._config.layers)]
        table = self._views["layers.0.U"]
        unused = np.zeros((self._hidden, table.shape[1]), np.float32)  # U of the first layer is the table
        U = pack([unused, *(layer["U"] for layer in layers[1:])])
        return stepping.NetworkWeights(
            inputs=InputWeights(table, U),
            cell=self._kernels.step_weights(self._config, layers, pack),
            V=_stacked([self._wide(self._views["V"], np.float32(0))], False)[0],
            c=self._wide(self._views["c"], softmax.LOWEST),
        )

    def _wide(self, view: Vector, value: np.float32) -> Vector:
        """A matrix of the output with as many columns as its sums take."""
        wide = aligned_zeros(len(view), self.width)
        wide[:, : self.symbols], wide[:, self.symbols :] = view[:, : self.symbols], value
        return wide

    def workspace(self, streams: int) -> stepping.StepWorkspace:
        """Return new memory for the steps of so many streams."""
        single_stream = self._arrangements[True].cell
        return stepping.StepWorkspace(
            cell=self._kernels.step_buffers(single_stream, streams, self._hidden),
            logits=aligned_zeros(streams, self.width),
            logs=aligned_zeros(streams, self.width),
            x=aligned_zeros(1, self.width),
            parts=np.zeros(self.width),
            sums=aligned_zeros(1, padded_size(streams)),
            packed=aligned_zeros(gemm.DEPTH, gemm.ROWS),
        )

    def zeros(self, streams: int) -> Any:
        """Return the state of so many streams before their first character, each field (L, S, H), H padded."""
        shape = self._config.layers, streams, self._hidden
        kind = cell_of(self._config).state
        return kind._make(np.zeros(shape, np.float32) for _ in kind._fields)

    def read(self, ids: Ids, state: State) -> tuple[Vector, State]:
        """log p over the character after each of `ids` (T, B): (T, B, K) float32 in nats; and the last state.

        The state's fields are (L, B, m).
        """
        steps, streams = ids.shape
        carry, m = self.zeros(streams), self._config.hidden_size
        for field, value in zip(carry, state, strict=True):
            field[:, :, :m] = value
        logs = np.zeros((steps, streams, self.width), np.float32)

        def work(part: slice) -> None:
            own, count = part_of(carry, part), part.stop - part.start
            found = aligned_zeros(steps * count, self.width)
            sums = aligned_zeros(1, padded_size(steps * count))
            x = np.ascontiguousarray(ids[:, part], np.int64)
            weights, room = self.weights(count), self.workspace(count)
            stepping.read(x, weights, own, room, found, sums, self.tile, self.symbol_tile)
            logs[:, part] = found.reshape(steps, count, self.width)
            put_part(carry, part, own)

        _share(streams, work)
        return logs[:, :, : self.symbols], map_state(lambda field: field[:, :, :m], carry)

    def write(
        self,
        carry: Any,
        current: Ids,
        given: Ids,
        uniforms: Array,
        rules: Rules,
        document_end: int | None = None,
    ) -> tuple[NDArray[np.int64], Vector]:
        """A block of steps: see the kernel of that name. `carry`, `current` and `rules.seen` go on.

        A stream's state becomes zero before it reads the id `document_end`, if there is one.

        Returns what was chosen, ids (n, S), and its log p, (n, S) in nats.
        """
        written, found = np.zeros(given.shape, np.int64), np.zeros(given.shape, np.float32)

        def work(part: slice) -> None:
            own, count = part_of(carry, part), part.stop - part.start
            ids, logs = np.zeros((len(given), count), np.int64), np.zeros((len(given), count), np.float32)
            stepping.write(
                np.ascontiguousarray(given[:, part]),
                np.ascontiguousarray(uniforms[:, part]),
                current[part],
                Rules(*(field[part] for field in rules)),
                -1 if document_end is None else document_end,
                self.weights(count),
                own,
                self.workspace(count),
                ids,
                logs,
                self.tile,
                self.symbol_tile,
            )
            written[:, part], found[:, part] = ids, logs
            put_part(carry, part, own)

        _share(given.shape[1], work)
        return written, found


def _share(streams: int, work: Any) -> None:
    """Call `work(slice)` for parts of the streams, on as many threads as they are worth."""
    count = max(1, min(usable_cpus(), streams // STREAMS_PER_THREAD))
    bounds = [round(k * streams / count / gemm.ROWS) * gemm.ROWS for k in range(count)] + [streams]
    with Team(count) as team:
        team.each(lambda k: work(slice(bounds[k], bounds[k + 1])), count)


def _stacked(matrices: list[Vector], single_stream: bool) -> Vector:
    """Matrices (k, n) of one shape as `step_product` takes them, one after the other."""
    if single_stream:
        return np.stack(matrices)
    panels = [aligned_zeros(*gemm.panel_rows(*matrix.shape)) for matrix in matrices]
    for matrix, own in zip(matrices, panels, strict=True):
        gemm.pack(np.ascontiguousarray(matrix), own)
    return np.stack(panels)

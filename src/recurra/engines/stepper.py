"""Run a trained network step by step for any number of streams. The bits of a stream do not depend on other streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.config import ModelConfig
from recurra.engines.kernels import gemm, stepping
from recurra.engines.kernels.cell_kernels import InputWeights
from recurra.engines.kernels.cell_registry import KERNELS
from recurra.engines.kernels.choice import Rules
from recurra.engines.kernels.lanes import Vector, aligned_zeros
from recurra.engines.parameter_layout import Layout, padded_size, tile_width
from recurra.engines.thread_team import Team
from recurra.network.cells import cell_of
from recurra.network.network import State
from recurra.network.parameters import layer_parameters
from recurra.network.state import map_state
from recurra.system.system_info import usable_cpus

Array = NDArray[Any]
Ids = NDArray[np.integer]
STREAMS_PER_THREAD = 16  # the smallest number of streams for which another thread is faster


def part_of(states: Any, which: Any) -> Any:
    """Return a copy of some streams of states (L, B, H); `which` is a slice or another index into the axis B."""
    return map_state(lambda field: np.ascontiguousarray(field[:, which]), states)


def put_part(states: Any, which: slice, part: Any) -> None:
    """Copy `part` into the streams `which` of states (L, B, H)."""
    for field, values in zip(states, part, strict=True):
        field[:, which] = values


class Stepper:
    """The trained network for any number of streams: `read` scores texts, `write` samples in blocks of time steps."""

    def __init__(self, config: ModelConfig, parameters: Mapping[str, Array]) -> None:
        self._config, self.symbols = config, len(parameters["c"])
        self.width = padded_size(self.symbols)
        self._hidden, self._kernels = padded_size(config.hidden_size), KERNELS[config.cell]
        self.tile = tile_width(self._hidden)
        layout = Layout(config, self.symbols)
        self._views = layout.views(layout.pack_weights(parameters))
        self._arrangements = {single_stream: self._arrange(single_stream) for single_stream in (False, True)}

    def weights(self, streams: int) -> stepping.NetworkWeights:
        """Return the weights in the form that the kernels need for this number of streams."""
        return self._arrangements[streams == 1]

    def _arrange(self, single_stream: bool) -> stepping.NetworkWeights:
        """Return the weights with recurrent matrices in rows, for one stream, or in panels, for several streams."""

        def pack(matrices: list[Vector]) -> Vector:
            return _stacked(matrices, single_stream)

        layers = [layer_parameters(self._views, number) for number in range(self._config.layers)]
        table = self._views["layers.0.U"]
        unused = np.zeros((self._hidden, table.shape[1]), np.float32)  # the first layer reads the table instead
        U = pack([unused, *(layer["U"] for layer in layers[1:])])
        return stepping.NetworkWeights(
            inputs=InputWeights(table, U),
            cell=self._kernels.step_weights(self._config, layers, pack),
            V=_stacked([self._views["V"]], False)[0],
            c=self._views["c"],
        )

    def workspace(self, streams: int) -> stepping.StepWorkspace:
        """Return a new workspace for the steps of this number of streams."""
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
        """Return the state before the first character: zeros (L, B, H) in every field, B = `streams`, H padded."""
        shape = self._config.layers, streams, self._hidden
        kind = cell_of(self._config).state
        return kind._make(np.zeros(shape, np.float32) for _ in kind._fields)

    def read(self, ids: Ids, state: State) -> tuple[Vector, State]:
        """Return log p of the next character after each of `ids` (T, B), and the final state.

        log p is float32 (T, B, K) in nats; each field of the states is (L, B, H).
        """
        steps, streams = ids.shape
        carry, m = self.zeros(streams), self._config.hidden_size
        for field, value in zip(carry, state, strict=True):
            field[:, :, :m] = value
        logs = np.zeros((steps, streams, self.width), np.float32)

        def work(part: slice) -> None:
            part_carry, count = part_of(carry, part), part.stop - part.start
            part_logs = aligned_zeros(steps * count, self.width)
            sums = aligned_zeros(1, padded_size(steps * count))
            x = np.ascontiguousarray(ids[:, part], np.int64)
            weights, workspace = self.weights(count), self.workspace(count)
            stepping.read(x, weights, part_carry, workspace, part_logs, sums, self.tile)
            logs[:, part] = part_logs.reshape(steps, count, self.width)
            put_part(carry, part, part_carry)

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
        """Sample n characters in every stream; `kernels.stepping.write` describes the arguments.

        The call updates `carry`, `current` and `rules.seen`, so that the next call continues the texts. If
        `document_end` is an id, the state of a stream becomes zero before the stream reads this id.

        Returns the sampled ids (n, B), and their log p (n, B) in nats.
        """
        written, log_p = np.zeros(given.shape, np.int64), np.zeros(given.shape, np.float32)

        def work(part: slice) -> None:
            part_carry, count = part_of(carry, part), part.stop - part.start
            ids, logs = np.zeros((len(given), count), np.int64), np.zeros((len(given), count), np.float32)
            stepping.write(
                np.ascontiguousarray(given[:, part]),
                np.ascontiguousarray(uniforms[:, part]),
                current[part],
                Rules(*(field[part] for field in rules)),
                -1 if document_end is None else document_end,
                self.weights(count),
                part_carry,
                self.workspace(count),
                ids,
                logs,
                self.tile,
            )
            written[:, part], log_p[:, part] = ids, logs
            put_part(carry, part, part_carry)

        _share(given.shape[1], work)
        return written, log_p


def _share(streams: int, work: Any) -> None:
    """Divide the streams among threads, and call `work(slice)` for the part of each thread."""
    count = max(1, min(usable_cpus(), streams // STREAMS_PER_THREAD))
    bounds = [round(k * streams / count / gemm.ROWS) * gemm.ROWS for k in range(count)] + [streams]
    with Team(count) as team:
        team.each(lambda k: work(slice(bounds[k], bounds[k + 1])), count)


def _stacked(matrices: list[Vector], single_stream: bool) -> Vector:
    """Stack matrices (k, n) of equal shape in the form that `step_product` reads: in rows or in panels."""
    if single_stream:
        return np.stack(matrices)
    panels = [aligned_zeros(*gemm.panel_rows(*matrix.shape)) for matrix in matrices]
    for matrix, target in zip(matrices, panels, strict=True):
        gemm.pack(np.ascontiguousarray(matrix), target)
    return np.stack(panels)

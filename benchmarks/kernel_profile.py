"""The share of each kernel in an update of training, on one core.

    python benchmarks/kernel_profile.py --shapes lstm-64-128-512-2,lstm-50-50-128-2 --rounds 5

A shape is CELL-B-T-H-L: B streams, T characters of each stream in an update, H hidden units, L layers. The benchmark
trains with the engine of `recurra.train` and one thread, and reads the clock before and after every kernel that Python
calls. The rest of an update is Python and NumPy. A kernel of a cell runs all time steps; the benchmark times its
products alone, on arrays of the same sizes, and the rest of the kernel is the gates. Updates without the clocks are
timed too, to show what the clocks cost. The timed process loads all kernels from the cache. Times are CPU times.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from batch_speed import SHAPES, shapes
from numba.core.dispatcher import Dispatcher
from peers import batch_setting, recurra_batch, setting
from peers.batch_setting import Shape

import compiled_kernels
import one_core
import product_cases
import side_by_side
from product_cases import Case
from product_loops import Loop, compiled_loop
from recurra.engines.kernels.cell_registry import KERNELS
from recurra.engines.sharding import default_shards, shard_bounds
from side_by_side import Side, progress, spread

# (kernel, function that calls it): part of an update. Other kernels are parts by themselves.
PARTS = {
    ("pack", "fill"): "packing of weights",
    ("pack_transposed", "fill_backward"): "packing of weights",
    ("transpose_matrix", "fill_backward"): "packing of weights",
    ("forward", "read"): "cells, forward",
    ("multiply", "_inputs"): "U x",
    ("set_rows", "read"): "V h",
    ("multiply", "read"): "V h",
    ("softmax_loss", "backward"): "softmax and loss",
    ("multiply", "_output_backward"): "V' do",
    ("multiply_outer", "_output_backward"): "do h'",
    ("backward", "_layer_backward"): "cells, backward",
    ("multiply", "_input_backward"): "U' da",
    ("multiply_outer", "_outer"): "da h'",
    ("column_sums", "_output_backward"): "biases and first U",
    ("column_sums", "_input_backward"): "biases and first U",
    ("column_sums", "_gradients"): "biases and first U",
    ("clear", "_input_backward"): "biases and first U",
    ("scatter_add", "_input_backward"): "biases and first U",
    ("clear", "_layer_backward"): "clearing",
    ("sum_of_squares", "add"): "norm of the gradient",
    ("adamw", "adamw_update"): "optimizer",
}
# part: the product inside, the name of this product, and the name of the rest
CELLS = {
    "cells, forward": ("W h", "W h", "gates, forward"),
    "cells, backward": ("W' da", "W' da", "gates, backward"),
}
REST = "Python and NumPy"
Times = dict[tuple[str, str], float]  # seconds by kernel and calling function


class TimedKernel:
    """A kernel that adds the CPU time of each call to `times`."""

    def __init__(self, kernel: Any, times: Times) -> None:
        self._kernel, self._times, self._name = kernel, times, kernel.py_func.__name__

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        start = time.thread_time()
        result = self._kernel(*arguments, **named)
        self._times[self._name, sys._getframe(1).f_code.co_name] += time.thread_time() - start
        return result


@contextlib.contextmanager
def timed_kernels(cell: str) -> Iterator[Times]:
    """Replace the kernels in all modules of the engines by timed kernels; an engine must be created meanwhile.

    All kernels must be loaded before: a kernel that is compiled meanwhile would find timed kernels in its module.
    """
    times: Times = defaultdict(float)
    modules = [module for name, module in sys.modules.items() if name.startswith("recurra.engines")]
    found = [(vars(module), name, value) for module in modules for name, value in vars(module).items()]
    replaced = [(place, name, value) for place, name, value in found if isinstance(value, Dispatcher)]
    registered = KERNELS[cell]
    fields = {field.name: getattr(registered, field.name) for field in dataclasses.fields(registered)}
    timed = {name: TimedKernel(value, times) for name, value in fields.items() if isinstance(value, Dispatcher)}
    try:
        for place, name, value in replaced:
            place[name] = TimedKernel(value, times)
        KERNELS[cell] = dataclasses.replace(registered, **timed)
        yield times
    finally:
        KERNELS[cell] = registered
        for place, name, value in replaced:
            place[name] = value


class Training:
    """A training by recurra with one thread."""

    def __init__(self, shape: Shape, text: str) -> None:
        ids, symbols = setting.encode(text)
        self.shape, self.reader = shape, batch_setting.Reader(ids, shape)
        self.peer = recurra_batch.Peer(shape, batch_setting.initial(shape, symbols), 1)
        self.run(1)

    def run(self, blocks: int) -> float:
        """Train for some blocks of updates; return the CPU seconds of an update."""
        taken = 0.0
        for _ in range(blocks):
            batches = self.reader.take(self.shape.block)
            start = time.thread_time()
            self.peer.train(*batches)
            taken += time.thread_time() - start
        return taken / (blocks * self.shape.block)


class Profile:
    """The training of one shape with clocks, the same without, and the products of its cells alone."""

    def __init__(self, shape: Shape, text: str, loop: Loop) -> None:
        self.shape, self.plain = shape, Training(shape, text)
        with timed_kernels(shape.cell) as self.times:
            self.timed = Training(shape, text)
        bounds = shard_bounds(shape.batch, default_shards(shape.batch))
        gates = KERNELS[shape.cell].saved(shape.config(), 0, 1, shape.hidden).da.shape[1] // shape.hidden
        self.products = {
            part: [
                product_cases.product(Case(kind, shape.hidden, gates * shape.hidden, streams, shape.steps), loop)
                for streams in np.diff(bounds).tolist()
            ]
            for part, (kind, _, _) in CELLS.items()
        }

    def measure(self, seconds: float) -> dict[str, float]:
        """Return the seconds of each part of an update, of all updates (`update`), and of updates without clocks."""
        blocks = max(1, round(seconds / (self.plain.run(1) * self.shape.block)))
        result = {"update without clocks": self.plain.run(blocks)}
        with timed_kernels(self.shape.cell) as times:
            self.timed.run(blocks)
        return result | times

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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher

import compiled_kernels
import one_core
import product_cases
import side_by_side
from host_processor import processor
from peers import batch_setting, recurra_batch, setting
from peers.batch_setting import Shape
from product_cases import Case, Product
from product_loops import Loop, compiled_loop
from recurra.engines.kernels.cell_registry import KERNELS
from recurra.engines.sharding import default_shards, shard_bounds
from recurra.network.cells import cell_of
from side_by_side import Side, progress, spread
from tables import aligned, markdown

SHAPES = (
    *("lstm-64-128-512-2", "gru-64-128-512-2", "elman-64-128-512-2"),
    *("lstm-50-50-128-2", "gru-50-50-128-2", "elman-50-50-128-2"),
    *("lstm-1-50-128-1", "gru-1-50-128-1"),
)
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
# recurrent product: the kernel that computes it, and the name of the rest of this kernel
CELLS = {
    "W h": ("cells, forward", "gates, forward"),
    "W' da": ("cells, backward", "gates, backward"),
}
PLAIN, CLOCKED, REST = "update", "update with clocks", "Python and NumPy"
ORDER = (
    *("packing of weights", "U x", "W h", "gates, forward", "V h", "softmax and loss", "do h'", "V' do"),
    *("W' da", "gates, backward", "U' da", "da h'", "biases and first U", "clearing"),
    *("norm of the gradient", "optimizer", REST),
)
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
def timed_kernels(cell: str, times: Times) -> Iterator[None]:
    """Replace the kernels in all modules of the engines by timed kernels.

    All kernels must be loaded before: a kernel that is compiled meanwhile would find timed kernels in its module.
    """
    modules = [module for name, module in sys.modules.items() if name.startswith("recurra.engines")]
    found = [(vars(module), name, value) for module in modules for name, value in vars(module).items()]
    replaced = [(place, name, value) for place, name, value in found if isinstance(value, Dispatcher)]
    registered = KERNELS[cell]
    fields = {field.name: getattr(registered, field.name) for field in dataclasses.fields(registered)}
    timed: dict[str, Any] = {k: TimedKernel(v, times) for k, v in fields.items() if isinstance(v, Dispatcher)}
    try:
        for place, name, value in replaced:
            place[name] = TimedKernel(value, times)
        KERNELS[cell] = dataclasses.replace(registered, **timed)
        yield
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
    """A training without clocks, the same training with clocks, and the recurrent products of both directions alone."""

    def __init__(self, shape: Shape, text: str, loop: Loop) -> None:
        self.shape, self.plain = shape, Training(shape, text)
        self.update_seconds = self.plain.run(1)
        self.times: Times = defaultdict(float)
        with timed_kernels(shape.cell, self.times):
            self.timed = Training(shape, text)
        bounds = shard_bounds(shape.batch, default_shards(shape.batch))
        gates = len(cell_of(shape.config()).gates)
        self.products = {
            kind: [
                product_cases.product(Case(kind, shape.hidden, gates * shape.hidden, streams, shape.steps), loop)
                for streams in np.diff(bounds).tolist()
            ]
            for kind in product_cases.RECURRENT
        }

    def measure(self, seconds: float) -> dict[str, float]:
        """Return the seconds of each part of an update, and of an update with clocks and without."""
        blocks = max(1, round(seconds / (self.update_seconds * self.shape.block)))
        plain = self.update_seconds = self.plain.run(blocks)
        self.times.clear()
        with timed_kernels(self.shape.cell, self.times):
            clocked = self.timed.run(blocks)
        updates = blocks * self.shape.block
        parts: dict[str, float] = defaultdict(float)
        for (kernel, caller), taken in self.times.items():
            parts[PARTS.get((kernel, caller), f"{kernel} in {caller}")] += taken / updates
        for kind, (cells, gates) in CELLS.items():
            parts[kind] = self.shape.layers * sum(_seconds(one, seconds / 10) for one in self.products[kind])
            parts[gates] = parts.pop(cells) - parts[kind]
        parts[REST] = clocked - sum(parts.values())
        return {CLOCKED: clocked, PLAIN: plain} | parts


def _seconds(product: Product, seconds: float) -> float:
    """Time the products of all time steps; return the CPU seconds."""
    return product.case.operations / (1e9 * product_cases.rate(product.multiply, product.case.operations, seconds))


def work(text_path: str, folder: str) -> None:
    """Run the child process: a shape on stdin starts a training; a number of seconds measures it."""
    compiled, loop = compiled_kernels.count(), compiled_loop(folder)
    text = Path(text_path).read_bytes().decode()
    now: list[Profile] = []

    def answer(question: str | float) -> dict[str, Any]:
        if isinstance(question, str):
            now[:] = [Profile(Shape.of(question), text, loop)]
            now[0].measure(0.0)
            return {"compiled": compiled()}
        return now[0].measure(question) | {"compiled": compiled()}

    side_by_side.serve(lambda: ({}, answer))


def measure(options: argparse.Namespace, text: str) -> tuple[dict[str, dict[str, list[float]]], int]:
    """Run every shape in a first process and measure it in a second one.

    Returns the seconds of each part in each round by shape, and the number of kernels that the second process compiled.
    """
    results: dict[str, dict[str, list[float]]] = {}
    compiled = 0
    cores = [] if options.core is None else [options.core]
    with tempfile.TemporaryDirectory(prefix="recurra-bench-") as folder:
        path = Path(folder, "text.txt")
        path.write_bytes(text.encode())
        command = [str(Path(__file__).resolve()), "--work", str(path), folder]
        first = Side("first", command, Path(folder, "first.log"), cores=cores)
        for shape in options.shapes:
            progress(f"{shape}: loading the kernels")
            first.require(shape)
        first.close()
        timed = Side("timed", command, Path(folder, "timed.log"), cores=cores)
        for shape in options.shapes:
            progress(shape)
            timed.require(shape)
            rounds = [timed.require(options.seconds) for _ in range(options.rounds)]
            compiled = rounds[-1]["compiled"]
            parts = [name for name in rounds[0] if name != "compiled"]
            results[shape] = {part: [one.get(part, 0.0) for one in rounds] for part in parts}
        timed.close()
    return results, compiled


def rows(results: dict[str, dict[str, list[float]]]) -> list[list[str]]:
    """Return the table: the milliseconds of an update, and the share of each part in percent, for each shape."""
    middle = {shape: {name: spread(v)["median"] for name, v in parts.items()} for shape, parts in results.items()}
    names = [name for name in ORDER if any(name in parts for parts in middle.values())]
    names += sorted({name for parts in middle.values() for name in parts} - {*ORDER, CLOCKED, PLAIN})
    table = [["", *results]]
    table += [[f"{name}, ms", *(f"{1000 * parts[name]:.2f}" for parts in middle.values())] for name in (PLAIN, CLOCKED)]
    for name in names:
        shares = [100 * parts.get(name, 0.0) / parts[CLOCKED] for parts in middle.values()]
        table.append([f"{name}, %", *(f"{share:.1f}" for share in shares)])
    return table


def _shapes(text: str) -> list[str]:
    """Parse names of shapes that are separated by commas."""
    names = text.split(",")
    try:
        for name in names:
            Shape.of(name)
    except Exception as error:
        raise argparse.ArgumentTypeError(
            f"a shape is CELL-B-T-H-L, such as {SHAPES[0]}; got {text} ({error})"
        ) from error
    return names


def arguments() -> argparse.Namespace:
    """Parse the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    side_by_side.add_options(parser, rounds=5, seconds=0.5)
    parser.add_argument("--markdown", action="store_true", help="a table in Markdown")
    parser.add_argument("--shapes", type=_shapes, default=",".join(SHAPES), help="with commas (default %(default)s)")
    parser.add_argument("--core", type=int, help="core of the training (default: the last available core)")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    side_by_side.check_rounds(parser, options)
    if options.core is None and (allowed := one_core.cores()):
        options.core = allowed[-1]
    return options


def main() -> None:
    """Run the benchmark, or one of its child processes."""
    options = arguments()
    if options.work:
        work(*options.work)
        return
    text, _ = setting.book_text()
    results, compiled = measure(options, text)
    cpu = processor()
    if options.json:
        facts = {"processor": cpu, "compiled_in_timed_process": compiled}
        print(json.dumps(facts | {"seconds": results}, ensure_ascii=False))
    else:
        print(f"{cpu['generation']} ({cpu['name']}), {compiled} kernels compiled in the timed process\n")
        print((markdown if options.markdown else aligned)(rows(results)))
    if compiled:
        sys.exit("the timed process compiled kernels, so that the times are not those of code from the cache")


if __name__ == "__main__":
    main()

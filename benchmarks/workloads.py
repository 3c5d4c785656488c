"""The work that the speed benchmark times: trainings and text generation, by recurra and by its peers.

A workload is `classic`, `CELL-B-T-H-L` or `write-CELL-H-L-N`. The second one is training in batches: B streams, T time
steps, H hidden units, L layers. The third one is writing N texts by a network with random weights.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from peers import batch_setting, setting
from peers.batch_setting import Shape
from recurra.network.parameters import initialize

OURS = "recurra"
WRITING = "write-"
SYMBOLS = 78  # of a network that writes
SCALE = 0.15  # scale of its random weights, small enough that no character is certain
COMPARED = {"classic": 5, "training": 3, "writing": 40}  # first losses, or characters at temperature 0
# kind: the required package of each side
SIDES = {
    "classic": {"recurra": "recurra", "numpy": "numpy", "torch": "torch"}
    | dict.fromkeys(("jax", "jax-tuned", "jax-call"), "jax"),
    "training": {"recurra": "recurra", "torch": "torch", "jax": "jax", "engine-torch": "torch"},
    "writing": {"recurra": "recurra", "torch": "torch"},
}
UNITS = {"classic": "updates/s", "training": "characters/s", "writing": "characters/s"}


class Workload(NamedTuple):
    """A workload of one side, after its first run.

    first: the first losses, or the ids of a text at temperature 0. Equal weights must give equal results on all sides.
    rate: a function that runs the workload for about some seconds, and returns updates or characters a second.
    """

    first: list[float]
    rate: Callable[[float], float]


def kind_of(name: str) -> str:
    """Return the kind of a workload. Raise ValueError or RecurraError if its name is invalid."""
    if name == "classic":
        return name
    shape_of(name)
    return "writing" if name.startswith(WRITING) else "training"


def shape_of(name: str) -> Shape:
    """Return the shape of a training in batches, or of a network that writes B texts."""
    if not name.startswith(WRITING):
        return Shape.of(name)
    cell, hidden, layers, texts = name.removeprefix(WRITING).split("-")
    return Shape.of(f"{cell}-{texts}-1-{hidden}-{layers}")


def open_workload(side: str, name: str, text: str, threads: int) -> Workload:
    """Start a workload of one side and run it for the first time."""
    kind = kind_of(name)
    if kind == "classic":
        return _classic(side, text)
    return (_writing if kind == "writing" else _training)(side, shape_of(name), text, threads)


def _classic(side: str, text: str) -> Workload:
    if side == OURS:
        ours = importlib.import_module("peers.recurra_classic").Peer(text)
        ours.rate(0.1)
        return Workload([], ours.rate)
    modules = {"numpy": "numpy_min_char", "torch": "pytorch_rnn", "jax": "jax_plain"}
    module = importlib.import_module(f"peers.{modules.get(side, 'jax_scan')}")
    ids, symbols = setting.encode(text)
    if side == "jax-call":
        peer, block = module.Peer(symbols, block=1), 100
    else:
        peer, block = module.Peer(symbols), 1000 if side.startswith("jax") else 25
    first = peer.train(ids, 2 * block)[: COMPARED["classic"]].tolist()
    return Workload(first, lambda seconds: _rate(lambda: peer.train(ids, block), block, seconds))


def _training(side: str, shape: Shape, text: str, threads: int) -> Workload:
    modules = {"recurra": "recurra_batch", "torch": "pytorch_batch", "engine-torch": "recurra_torch_batch"}
    module = importlib.import_module(f"peers.{modules.get(side, 'jax_batch')}")
    ids, symbols = setting.encode(text)
    peer = module.Peer(shape, batch_setting.initial(shape, symbols), threads)
    reader = batch_setting.Reader(ids, shape)

    def block() -> Any:
        return peer.train(*reader.take(shape.block))

    first: list[float] = []
    while len(first) < COMPARED["training"]:
        first += block().tolist()
    characters = shape.block * shape.characters
    return Workload(first[: COMPARED["training"]], lambda seconds: _rate(block, characters, seconds))


def _rate(block: Callable[[], Any], units: int, seconds: float) -> float:
    """Run blocks of `units` updates or characters for `seconds`; return the units a second."""
    blocks, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds or not blocks:
        block()
        blocks += 1
    return blocks * units / (time.perf_counter() - start)


def writer(side: str, shape: Shape, threads: int) -> Any:
    """Return a side's generator of B texts, by a network with random weights."""
    module = importlib.import_module("peers.recurra_writer" if side == OURS else "peers.pytorch_writer")
    return module.Peer(shape, initialize(shape.config(), SYMBOLS, seed=0, scale=SCALE), threads)


def _writing(side: str, shape: Shape, _: str, threads: int) -> Workload:
    generator = writer(side, shape, threads)

    def rate(seconds: float) -> float:
        """Write texts of increasing length until a text takes half of the time."""
        count, taken = 16, 0.0
        while taken <= seconds / 2:
            count *= 2
            start = time.perf_counter()
            generator.write(count)
            taken = time.perf_counter() - start
        return float(count * shape.batch / taken)

    return Workload([float(k) for k in generator.likeliest(COMPARED["writing"])], rate)

"""Training in batches, in thousand characters a second: recurra, PyTorch and JAX, in turn on the same cores.

    python benchmarks/batch_speed.py --shapes lstm-50-50-128-2,gru-1-50-128-1 --threads 1,2

A shape is CELL-B-T-H-L: B streams, T characters of each stream in an update, H hidden units, L layers. The benchmark
times whole updates with carried state: forward, backward, clipping by norm, Adam. Every side has one process for each
number of threads, pinned to as many cores. Only one process works at a time; a round times each process once, in turn.
The benchmark also compares the first losses, from equal weights, to check that all sides train the same network.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import one_core
import side_by_side
from side_by_side import OURS, Side, format_range, off_by, progress, quotients, spread, version

# name: the required package, and the module in peers
PEERS = {
    "recurra": ("recurra", "recurra_batch"),
    "torch": ("torch", "pytorch_batch"),
    "engine-torch": ("torch", "recurra_torch_batch"),
    "jax": ("jax", "jax_batch"),
}
SHAPES = (
    "lstm-50-50-128-2",
    "gru-50-50-128-2",
    "elman-50-50-128-2",
    "lstm-64-128-512-2",
    "gru-64-128-512-2",
    "elman-64-128-512-2",
    "lstm-1-50-128-1",
    "gru-1-50-128-1",
)
USUAL = (
    "recurra",
    "torch",
    "jax",
)  # engine-torch is recurra with PyTorch: `--peers recurra,engine-torch` compares both
COMPARED = 3  # number of first losses to compare; later losses differ by accumulated rounding errors
AGREEMENT = 1e-4  # largest accepted relative difference of these losses


class Training:
    """One side's training of one shape, after the first updates, which compile and whose losses are compared."""

    def __init__(self, name: str, shape_name: str, text: str, threads: int) -> None:
        from peers import batch_setting, setting

        ids, symbols = setting.encode(text)
        self.shape = batch_setting.Shape.of(shape_name)
        self.reader = batch_setting.Reader(ids, self.shape)
        module = importlib.import_module(f"peers.{PEERS[name][1]}")
        self.peer = module.Peer(self.shape, batch_setting.initial(self.shape, symbols), threads)
        self.first_losses: list[float] = []
        while len(self.first_losses) < COMPARED:
            self.first_losses += self._block().tolist()

    def _block(self) -> Any:
        return self.peer.train(*self.reader.take(self.shape.block))

    def rate(self, seconds: float) -> float:
        """Train for `seconds`, at least one block; return the characters a second."""
        blocks, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            self._block()
            blocks += 1
        return blocks * self.shape.block * self.shape.characters / (time.perf_counter() - start)


def work(name: str, text_path: str, threads: int) -> None:
    """Run the child process: a shape on stdin starts a training; a number of seconds times the training."""
    text = Path(text_path).read_bytes().decode()
    training: list[Training] = []

    def answer(question: str | float) -> dict[str, Any]:
        if isinstance(question, str):
            training.clear()
            training.append(Training(name, question, text, threads))
            return {"first_losses": training[0].first_losses[:COMPARED]}
        return {"rate": training[0].rate(question)}

    side_by_side.serve(lambda: ({}, answer))


def start(name: str, text_path: Path, threads: int) -> Side:
    """Start the process of a side with `threads` threads."""
    command = [str(Path(__file__).resolve()), "--work", name, str(text_path), str(threads)]
    return Side(name, command, text_path.with_name(f"{name}-{threads}.log"), cores=one_core.cores()[-threads:])


class Result(NamedTuple):
    """The measurements of one shape: the rate of each round and the first losses, by number of threads and side."""

    shape: str
    rates: dict[int, dict[str, list[float]]]
    first_losses: dict[int, dict[str, list[float]]]

    def peer(self, threads: int) -> str | None:
        """Return the faster peer; None if there is no peer."""
        rates = {name: statistics.median(v) for name, v in self.rates[threads].items() if name != OURS}
        return max(rates, key=lambda name: rates[name]) if rates else None

    def over_peer(self, threads: int) -> list[float]:
        """Return the speed of recurra over the faster peer's, for each round."""
        rates, peer = self.rates[threads], self.peer(threads)
        return quotients(rates[OURS], rates[peer]) if OURS in rates and peer else []

    def over_one_thread(self, threads: int) -> list[float]:
        """Return the speed of recurra over its speed with one thread, for each round."""
        one, more = self.rates.get(1, {}), self.rates[threads]
        return quotients(more[OURS], one[OURS]) if threads > 1 and OURS in one and OURS in more else []

    def disagreement(self, threads: int) -> dict[str, float]:
        """Return the largest relative difference of each peer's first losses from recurra's."""
        first = self.first_losses[threads]
        return {name: off_by(losses, first[OURS]) for name, losses in first.items() if name != OURS and OURS in first}


def measure_shape(shape: str, sides: list[Side], *, rounds: int, seconds: float) -> Result:
    """Start the shape on all sides, then time the sides in turn; the result omits sides that fail."""
    progress(f"{shape}: first updates")
    if shape.split("-")[1] == "1":  # a single stream is sequential, so that more threads do not help
        sides = [side for side in sides if side.threads == sides[0].threads]
    opened = {(side.threads, side.name): side.ask(shape) for side in sides}
    rates: dict[tuple[int, str], list[float]] = {key: [] for key in opened}
    for number in range(1, rounds + 1):
        progress(f"{shape}: round {number} of {rounds}")
        for side in sides:
            answer = side.ask(seconds)
            rates[side.threads, side.name] += [answer["rate"]] if answer else []
    result = Result(shape, {}, {})
    for side in sides:
        key = side.threads, side.name
        if side.alive and (first := opened[key]):
            result.rates.setdefault(side.threads, {})[side.name] = rates[key]
            result.first_losses.setdefault(side.threads, {})[side.name] = first["first_losses"]
    return result


def measure(options: argparse.Namespace, text: str) -> tuple[list[Result], dict[str, str]]:
    """Measure every shape on every installed side; return the results, and the reason for each omitted side."""
    left_out = {name: "not installed" for name in options.peers if version(PEERS[name][0]) is None}
    with tempfile.TemporaryDirectory(prefix="recurra-bench-") as folder:
        path = Path(folder, "text.txt")
        path.write_bytes(text.encode())
        names = [name for name in options.peers if name not in left_out]
        sides = [start(name, path, threads) for threads in options.threads for name in names]
        results = [
            measure_shape(shape, sides, rounds=options.rounds, seconds=options.seconds) for shape in options.shapes
        ]
        for side in sides:
            alive, reason = side.alive, side.close()
            left_out |= {} if alive else {f"{side.name}, threads {side.threads}": reason}
    return results, left_out


def row(result: Result, threads: int, names: list[str]) -> str:
    """Return a line of the table."""
    rates = result.rates[threads]
    line = f"{result.shape:20} {threads:7}"
    for name in names:
        line += f" {statistics.median(rates[name]) / 1000:9.1f}" if name in rates else f" {'-':>9}"
    for values in (result.over_peer(threads), result.over_one_thread(threads)):
        s = spread(values) if values else None
        line += f"   {s['median']:5.2f} {format_range(s, '.2f'):>10}" if s else f"   {'':16}"
    return line.rstrip()


def show(results: list[Result], left_out: dict[str, str]) -> None:
    """Print the table."""
    names = [name for name in PEERS if any(name in rates for result in results for rates in result.rates.values())]
    print(f"{'thousand chars/s':20} {'threads':>7}", *(f"{name:>9}" for name in names), end="")
    print(f"   {'ours / faster':>16}   {'ours / 1 thread':>16}")
    for result in results:
        for threads in result.rates:
            print(row(result, threads, names))
    for name, reason in left_out.items():
        print(f"{name}: {reason}")
    apart = [value for result in results for threads in result.rates for value in result.disagreement(threads).values()]
    if apart:
        verdict = "" if max(apart) < AGREEMENT else f": more than {AGREEMENT:.0e}, so that a side is wrong"
        print(f"\nlargest relative difference of the first {COMPARED} losses from recurra's: {max(apart):.0e}{verdict}")


def as_json(results: list[Result], left_out: dict[str, str]) -> dict[str, Any]:
    """Return the measurements as JSON types."""
    rows = [
        {
            "shape": result.shape,
            "threads": threads,
            "characters_per_second": {name: spread(v) | {"rounds": v} for name, v in rates.items()},
            "faster_peer": result.peer(threads),
            "ours_over_faster_peer": _spread_of(result.over_peer(threads)),
            "ours_over_one_thread": _spread_of(result.over_one_thread(threads)),
            "first_losses_off_by": result.disagreement(threads),
        }
        for result in results
        for threads, rates in result.rates.items()
    ]
    return {"results": rows, "left_out": left_out}


def _spread_of(values: list[float]) -> dict[str, Any] | None:
    return spread(values) | {"rounds": values} if values else None


def _threads(text: str) -> list[int]:
    """Parse "1,2" as numbers of threads."""
    values = sorted({int(part) for part in text.split(",")})
    most = len(one_core.cores()) or math.inf
    if values[0] < 1 or values[-1] > most:
        raise argparse.ArgumentTypeError(f"from 1 to the {most} cores of this process; got {text}")
    return values


def shapes(text: str) -> list[str]:
    """Parse names of shapes that are separated by commas."""
    from peers.batch_setting import Shape

    try:
        return [Shape.of(name) and name for name in text.split(",")]
    except Exception as error:
        raise argparse.ArgumentTypeError(f"a shape is CELL-B-T-H-L, say {SHAPES[0]}; got {text} ({error})") from error


def arguments() -> argparse.Namespace:
    """Parse the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    side_by_side.add_options(parser, rounds=3, seconds=0.5)
    parser.add_argument("--shapes", default=",".join(SHAPES), help="CELL-B-T-H-L, with commas (default %(default)s)")
    parser.add_argument("--threads", help="numbers of threads, with commas (default 1,2; 1 on one core)")
    parser.add_argument(
        "--peers", default=",".join(USUAL), help=f"of {', '.join(PEERS)}, with commas (default %(default)s)"
    )
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    side_by_side.check_options(parser, options, PEERS)
    try:
        options.threads = _threads(options.threads or ",".join("12"[: len(one_core.cores()) or 1]))
        options.shapes = shapes(options.shapes)
    except (ValueError, argparse.ArgumentTypeError) as error:
        parser.error(str(error))
    options.peers = options.peers.split(",")
    return options


def main() -> None:
    """Run the benchmark, or one of its child processes."""
    options = arguments()
    if options.work:
        name, text_path, threads = options.work
        work(name, text_path, int(threads))
        return
    from peers.setting import book_text

    text, name = book_text()
    head = side_by_side.head(text, name, [PEERS[side][0] for side in options.peers])
    results, left_out = measure(options, text)
    if options.json:
        print(json.dumps(head | as_json(results, left_out), ensure_ascii=False))
        return
    print(side_by_side.headline(head) + "\n")
    show(results, left_out)


if __name__ == "__main__":
    main()

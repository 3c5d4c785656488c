"""Updates a second of training with preset classic: recurra, NumPy, PyTorch and JAX, in turn on one core.

    python benchmarks/classic_speed.py --rounds 5 --seconds 2.5

Every side has one process for the whole benchmark. All processes are pinned to the same core, and only one works at a
time. A round times each side once, in turn, so that a slower machine slows all sides. The benchmark also compares the
peers' first losses, from equal weights, to check that all peers train the same network.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import one_core
import side_by_side
from side_by_side import OURS, Side, format_range, off_by, progress, quotients, spread, version

# name: the required package, and the number of updates between two readings of the clock
PEERS = {
    "recurra": ("recurra", 0),
    "numpy": ("numpy", 25),
    "torch": ("torch", 25),
    "jax": ("jax", 1000),
    "jax-tuned": ("jax", 1000),
    "jax-call": ("jax", 100),
}
COMPARED = 5  # number of first losses to compare; later losses differ by accumulated rounding errors
Timed = Callable[[float], tuple[int, float]]


def open_peer(name: str, text: str) -> tuple[Timed, list[float]]:
    """Start and warm up a side; return a function that times it for some seconds, and the side's first losses.

    The function returns the number of updates, and updates a second.
    """
    if name == OURS:
        from peers import recurra_classic

        ours = recurra_classic.Peer(text)
        ours.timed(0.1)
        return ours.timed, []
    from peers import setting

    ids, symbols = setting.encode(text)
    block = PEERS[name][1]
    peer = new_peer(name, symbols)
    first = peer.train(ids, 2 * block)[:COMPARED].tolist()

    def timed(seconds: float) -> tuple[int, float]:
        updates, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            peer.train(ids, block)
            updates += block
        return updates, updates / (time.perf_counter() - start)

    return timed, first


def new_peer(name: str, symbols: int) -> Any:
    """Return a new training of the peer `name`."""
    if name == "numpy":
        from peers import numpy_min_char

        return numpy_min_char.Peer(symbols)
    if name == "torch":
        from peers import pytorch_rnn

        return pytorch_rnn.Peer(symbols)
    if name == "jax":
        from peers import jax_plain

        return jax_plain.Peer(symbols)
    from peers import jax_scan

    return jax_scan.Peer(symbols, block=1 if name == "jax-call" else jax_scan.BLOCK)


def work(name: str, text_path: str) -> None:
    """Run the child process: a number of seconds on stdin times the training."""

    def open_side() -> tuple[dict[str, Any], Callable[[float], dict[str, Any]]]:
        timed, first = open_peer(name, Path(text_path).read_bytes().decode())

        def answer(seconds: float) -> dict[str, Any]:
            updates, rate = timed(seconds)
            return {"updates": updates, "updates_per_second": rate}

        return {"first_losses": first}, answer

    side_by_side.serve(open_side)


def start(name: str, text_path: Path, core: int | None) -> Side:
    """Start and warm up the process of the side `name`."""
    progress(f"starting {name}")
    command = [str(Path(__file__).resolve()), "--work", name, str(text_path)]
    return Side(name, command, text_path.with_name(f"{name}.log"), cores=[] if core is None else [core])


class Result(NamedTuple):
    """The rates of each round and the first losses of every side, and the reason for each omitted side."""

    rates: dict[str, list[float]]
    first_losses: dict[str, list[float]]
    left_out: dict[str, str]


def measure(names: list[str], text: str, *, rounds: int, seconds: float, core: int | None) -> Result:
    """Start every installed side, time the sides in turn, and stop them."""
    left_out = {name: "not installed" for name in names if version(PEERS[name][0]) is None}
    rates: dict[str, list[float]] = {name: [] for name in names if name not in left_out}
    with tempfile.TemporaryDirectory(prefix="recurra-bench-") as folder:
        path = Path(folder, "text.txt")
        path.write_bytes(text.encode())
        sides = [start(name, path, core) for name in rates]
        for number in range(1, rounds + 1):
            progress(f"round {number} of {rounds}")
            for side in sides:
                answer = side.ask(seconds)
                rates[side.name] += [answer["updates_per_second"]] if answer else []
        reasons = {side.name: side.close() for side in sides}
    left_out |= {side.name: reasons[side.name] for side in sides if not side.alive}
    alive = [side for side in sides if side.alive]
    first_losses = {side.name: side.ready["first_losses"] for side in alive}
    return Result({side.name: rates[side.name] for side in alive}, first_losses, left_out)


def ratios(rates: dict[str, list[float]]) -> dict[str, list[float]]:
    """Return the speed of recurra over each other side's, for each round."""
    ours = rates.get(OURS, [])
    return {name: quotients(ours, others) for name, others in rates.items() if ours and name != OURS}


def disagreement(first_losses: dict[str, list[float]]) -> dict[str, float]:
    """Return the largest relative difference of each peer's first losses from NumPy's."""
    truth = first_losses.get("numpy", [])
    return {
        name: off_by(losses, truth) for name, losses in first_losses.items() if truth and losses and name != "numpy"
    }


def show(result: Result) -> None:
    """Print the table."""
    over = ratios(result.rates)
    print(f"{'':10} {'updates/s':>10} {'min..max over rounds':>22}   {'ours / peer':>11} {'min..max':>14}")
    for name, values in result.rates.items():
        s = spread(values)
        row = f"{name:10} {s['median']:10,.0f} {format_range(s, ',.0f'):>22}"
        if name in over:
            q = spread(over[name])
            row += f"   {q['median']:11.2f} {format_range(q, '.2f'):>14}"
        print(row)
    for name, reason in result.left_out.items():
        print(f"{name:10} {reason}")
    parts = [f"{name} {value:.0e}" for name, value in disagreement(result.first_losses).items()]
    if parts:
        print(f"\nlargest relative difference of the first {COMPARED} losses from NumPy's: {', '.join(parts)}")


def arguments() -> argparse.Namespace:
    """Parse the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    side_by_side.add_options(parser, rounds=5, seconds=2.5)
    parser.add_argument("--peers", default=",".join(PEERS), help="sides, with commas (default %(default)s)")
    parser.add_argument("--core", type=int, help="core for all sides (default: the last available core)")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    side_by_side.check_options(parser, options, PEERS)
    return options


def main() -> None:
    """Run the benchmark, or one of its child processes."""
    options = arguments()
    if options.work:
        work(*options.work)
        return
    from peers.setting import book_text

    text, name = book_text()
    allowed = one_core.cores()
    core = options.core if options.core is not None or not allowed else allowed[-1]
    names = options.peers.split(",")
    result = measure(names, text, rounds=options.rounds, seconds=options.seconds, core=core)
    head = side_by_side.head(text, name, [PEERS[side][0] for side in result.rates]) | {"core": core}
    if options.json:
        print(json.dumps(head | as_json(result), ensure_ascii=False))
        return
    print(f"{side_by_side.headline(head)} · core {core}\n")
    show(result)


def as_json(result: Result) -> dict[str, Any]:
    """Return the measurements as JSON types."""
    return {
        "updates_per_second": {name: spread(v) | {"rounds": v} for name, v in result.rates.items()},
        "ours_over_peer": {name: spread(v) | {"rounds": v} for name, v in ratios(result.rates).items()},
        "first_losses_off_by": disagreement(result.first_losses),
        "left_out": result.left_out,
    }


if __name__ == "__main__":
    main()

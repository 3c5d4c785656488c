"""Updates a second of the seed's training: ours beside NumPy, PyTorch and JAX, in turn on one core.

    python benchmarks/seed_speed.py --rounds 5 --seconds 2.5

Every side lives in its own process for the whole bench, all are pinned to the same core, and only one works
at a time. A round times each side once, in turn, so that a machine that slows down slows all of them.
The peers' first losses, from equal weights, are compared: a peer that learns something else is no peer.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import one_core

# name: the package that it needs, and updates between two looks at the clock
PEERS = {
    "recurra": ("recurra", 0),
    "numpy": ("numpy", 25),
    "torch": ("torch", 25),
    "jax": ("jax", 1000),
    "jax-tuned": ("jax", 1000),
    "jax-call": ("jax", 100),
}
OURS = "recurra"
COMPARED = 5  # first losses: beyond them rounding errors have grown too large to compare
Timed = Callable[[float], tuple[int, float]]


def open_peer(name: str, text: str) -> tuple[Timed, list[float]]:
    """The side `name`, warmed up: what times it for some seconds (updates, updates a second); its first losses."""
    if name == OURS:
        from peers import recurra_seed

        ours = recurra_seed.Peer(text)
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
    """A training of the peer `name` at its first update."""
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


def work(name: str, text_path: str, core: int | None) -> None:
    """The child: a JSON line when ready, then for each line of seconds read, one with what was measured."""
    one_core.pin(core)
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers
    timed, first = open_peer(name, Path(text_path).read_bytes().decode())
    print(json.dumps({"first_losses": first}), file=answers)
    for line in sys.stdin:
        updates, rate = timed(float(line))
        print(json.dumps({"updates": updates, "updates_per_second": rate}), file=answers)


class Side:
    """One side's process, and what it measured."""

    def __init__(self, name: str, text_path: str, core: int | None) -> None:
        self.name = name
        self.rates: list[float] = []
        self.log = Path(text_path).with_name(f"{name}.log")
        command = [sys.executable, str(Path(__file__).resolve()), "--work", name, text_path]
        command += [] if core is None else ["--core", str(core)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                env=one_core.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        ready = self.answer()
        self.alive = ready is not None
        self.first_losses: list[float] = ready["first_losses"] if ready else []

    def answer(self) -> dict[str, Any] | None:
        """The child's next line; None if it ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def round(self, seconds: float) -> None:
        """Time the side once, if it lives."""
        assert self.process.stdin is not None
        if not self.alive:
            return
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        answer = self.answer()
        self.alive = answer is not None
        if answer is not None:
            self.rates.append(answer["updates_per_second"])

    def close(self) -> str:
        """End the child; why it ended before, if it did: the last line that it wrote to stderr."""
        self.process.communicate()
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"ended with status {self.process.returncode}"


def version(package: str) -> str | None:
    """The version of an installed package; None if it is not installed."""
    if importlib.util.find_spec(package) is None:
        return None
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "from source"


class Result(NamedTuple):
    """Rates round by round and first losses of every side that came through; why the others did not."""

    rates: dict[str, list[float]]
    first_losses: dict[str, list[float]]
    left_out: dict[str, str]


def measure(names: list[str], text: str, *, rounds: int, seconds: float, core: int | None) -> Result:
    """Start every side that is installed, time them in turn, end them."""
    left_out = {name: "not installed" for name in names if version(PEERS[name][0]) is None}
    sides: list[Side] = []
    with tempfile.TemporaryDirectory(prefix="recurra-bench-") as folder:
        path = Path(folder, "text.txt")
        path.write_bytes(text.encode())
        for name in names:
            if name not in left_out:
                progress(f"starting {name}")
                sides.append(Side(name, str(path), core))
        for number in range(1, rounds + 1):
            progress(f"round {number} of {rounds}")
            for side in sides:
                side.round(seconds)
        reasons = {side.name: side.close() for side in sides}
    left_out |= {side.name: reasons[side.name] for side in sides if not side.alive}
    alive = [side for side in sides if side.alive]
    return Result({side.name: side.rates for side in alive}, {side.name: side.first_losses for side in alive}, left_out)


def progress(message: str) -> None:
    """A line to stderr."""
    print(message, file=sys.stderr, flush=True)


def spread(values: list[float]) -> dict[str, Any]:
    """Median, least and greatest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def ratios(rates: dict[str, list[float]]) -> dict[str, list[float]]:
    """Ours over each other side, round by round."""
    ours = rates.get(OURS, [])
    return {
        name: [mine / other for mine, other in zip(ours, others, strict=True)]
        for name, others in rates.items()
        if ours and name != OURS
    }


def disagreement(first_losses: dict[str, list[float]]) -> dict[str, float]:
    """The largest relative difference of each peer's first losses from NumPy's."""
    truth = first_losses.get("numpy", [])
    return {
        name: max(abs(loss / true - 1) for loss, true in zip(losses, truth, strict=True))
        for name, losses in first_losses.items()
        if truth and losses and name != "numpy"
    }


def show(result: Result) -> None:
    """The table."""
    quotients = ratios(result.rates)
    print(f"{'':10} {'updates/s':>10} {'min..max over rounds':>22}   {'ours / peer':>11} {'min..max':>14}")
    for name, values in result.rates.items():
        s = spread(values)
        row = f"{name:10} {s['median']:10,.0f} {format_range(s, ',.0f'):>22}"
        if name in quotients:
            q = spread(quotients[name])
            row += f"   {q['median']:11.2f} {format_range(q, '.2f'):>14}"
        print(row)
    for name, reason in result.left_out.items():
        print(f"{name:10} {reason}")
    parts = [f"{name} {value:.0e}" for name, value in disagreement(result.first_losses).items()]
    if parts:
        print(f"\nlargest relative difference of the first {COMPARED} losses from NumPy's: {', '.join(parts)}")


def format_range(values: dict[str, Any], form: str) -> str:
    """ "least..greatest"."""
    return f"{values['min']:{form}}..{values['max']:{form}}"


def arguments() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="times that each side is timed (default 5)")
    parser.add_argument("--seconds", type=float, default=2.5, help="wall time of one timing (default 2.5)")
    parser.add_argument("--peers", default=",".join(PEERS), help="sides, with commas (default %(default)s)")
    parser.add_argument("--core", type=int, help="the core of all sides (default: the last one allowed)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = sorted(set(options.peers.split(",")) - set(PEERS))
    if unknown:
        parser.error(f"unknown peer {unknown[0]!r}; known are {', '.join(PEERS)}")
    if options.rounds < 1 or not options.seconds > 0:
        parser.error("--rounds must be at least 1 and --seconds greater than 0")
    return options


def main() -> None:
    """Run the bench, or be one of its children."""
    options = arguments()
    if options.work:
        work(options.work[0], options.work[1], options.core)
        return
    from peers.setting import book_text

    text, name = book_text()
    allowed = one_core.cores()
    core = options.core if options.core is not None or not allowed else allowed[-1]
    names = options.peers.split(",")
    result = measure(names, text, rounds=options.rounds, seconds=options.seconds, core=core)
    head: dict[str, Any] = {
        "text": name,
        "characters": len(text),
        "symbols": len(set(text)),
        "machine": one_core.machine(),
        "core": core,
        "versions": {PEERS[side][0]: version(PEERS[side][0]) for side in result.rates},
    }
    if options.json:
        print(json.dumps(head | as_json(result), ensure_ascii=False))
        return
    print(f"text {name}, {len(text):,} characters, {head['symbols']} symbols · {head['machine']}, core {core}")
    print(" · ".join(f"{package} {number}" for package, number in head["versions"].items()) + "\n")
    show(result)


def as_json(result: Result) -> dict[str, Any]:
    """What was measured, as JSON's types."""
    return {
        "updates_per_second": {name: spread(v) | {"rounds": v} for name, v in result.rates.items()},
        "ours_over_peer": {name: spread(v) | {"rounds": v} for name, v in ratios(result.rates).items()},
        "first_losses_off_by": disagreement(result.first_losses),
        "left_out": result.left_out,
    }


if __name__ == "__main__":
    main()

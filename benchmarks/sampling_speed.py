"""Text generation, in thousand characters a second: recurra and a PyTorch loop, one text and many texts at once.

    python benchmarks/sampling_speed.py --networks elman-100-1,lstm-128-2 --streams 256

A network is CELL-H-L: H hidden units, L layers, random weights and 78 symbols. Every side has one process on the same
cores. Only one process works at a time; a round times each side once, in turn. The benchmark times the generation of
whole texts at temperature 1. At temperature 0 both sides must generate the same text.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import one_core
import side_by_side
from side_by_side import OURS, Side, format_range, progress, quotients, spread, version

# name: the required package, and the module in peers
PEERS = {"recurra": ("recurra", "recurra_writer"), "torch": ("torch", "pytorch_writer")}
NETWORKS = ("elman-100-1", "lstm-128-2")
SYMBOLS = 78
SCALE = 0.15  # scale of the random weights, small enough that no character is certain
COMPARED = 40  # characters of the text at temperature 0


def opened(name: str, network: str, streams: int) -> Any:
    """Return a side's generator of `streams` texts."""
    from peers import batch_setting
    from recurra.network.parameters import initialize

    cell, hidden, layers = network.split("-")
    shape = batch_setting.Shape(cell, streams, 1, int(hidden), int(layers))
    threads = 1 if streams == 1 else max(len(one_core.cores()), 1)
    parameters = initialize(shape.config(), SYMBOLS, seed=0, scale=SCALE)
    return importlib.import_module(f"peers.{PEERS[name][1]}").Peer(shape, parameters, threads)


def rate(writer: Any, streams: int, seconds: float) -> float:
    """Return the characters a second of all texts together; the texts take about `seconds`."""
    count, taken = 16, 0.0
    while taken < seconds / 2:
        count *= 2
        started = time.perf_counter()
        writer.write(count)
        taken = time.perf_counter() - started
    return count * streams / taken


def work(name: str) -> None:
    """Run the child process: a network and a number of texts on stdin select a generator; seconds time it."""
    now: list[Any] = []

    def answer(question: Any) -> dict[str, Any]:
        if isinstance(question, list):
            now[:] = [opened(name, *question), question[1]]
            return {"text": [int(k) for k in now[0].likeliest(COMPARED)]}
        writer, streams = now
        return {"rate": rate(writer, streams, question)}

    side_by_side.serve(lambda: ({}, answer))


class Result(NamedTuple):
    """The measurements of one network and number of texts: the rate of each side in each round.

    `same` is True if all sides generated the same text at temperature 0.
    """

    network: str
    streams: int
    rates: dict[str, list[float]]
    same: bool

    def over_peer(self) -> list[float]:
        """Return the speed of recurra over PyTorch's, for each round."""
        return quotients(self.rates[OURS], self.rates["torch"]) if {OURS, "torch"} <= set(self.rates) else []


def measure(options: argparse.Namespace) -> tuple[list[Result], dict[str, str]]:
    """Time every network with one text and with many; return the results, and the reason for each omitted side."""
    left_out = {name: "not installed" for name in options.peers if version(PEERS[name][0]) is None}
    with tempfile.TemporaryDirectory(prefix="recurra-bench-") as folder:
        names = [name for name in options.peers if name not in left_out]
        script = str(Path(__file__).resolve())
        sides = [
            Side(name, [script, "--work", name], Path(folder, f"{name}.log"), cores=one_core.cores()) for name in names
        ]
        cases = itertools.product(options.networks, (1, options.streams))
        results = [measure_one(network, streams, sides, options) for network, streams in cases]
        for side in sides:
            alive, reason = side.alive, side.close()
            left_out |= {} if alive else {side.name: reason}
    return results, left_out


def measure_one(network: str, streams: int, sides: list[Side], options: argparse.Namespace) -> Result:
    """Load the network on all sides, then time the sides in turn."""
    progress(f"{network}, {streams} at once")
    texts = {side.name: (side.ask([network, streams]) or {}).get("text") for side in sides}
    rates: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        for side in sides:
            answer = side.ask(options.seconds)
            rates.setdefault(side.name, []).extend([answer["rate"]] if answer else [])
    return Result(
        network,
        streams,
        {name: values for name, values in rates.items() if len(values) == options.rounds},
        len({tuple(text) for text in texts.values() if text}) == 1,
    )


def over_one(results: list[Result], result: Result) -> float | None:
    """Return the speed of recurra with many texts over its speed with one text; None without either."""
    one = next(other for other in results if other.network == result.network and other.streams == 1)
    if result.streams == 1 or OURS not in result.rates or OURS not in one.rates:
        return None
    return statistics.median(result.rates[OURS]) / statistics.median(one.rates[OURS])


def show(results: list[Result], left_out: dict[str, str]) -> None:
    """Print the table."""
    print(f"{'thousand chars/s':16} {'at once':>8} {OURS:>9} {'torch':>9}   {'ours / torch':>18}   ours / one text")
    for result in results:
        line = f"{result.network:16} {result.streams:8}"
        for name in PEERS:
            line += f" {statistics.median(result.rates[name]) / 1000:9.1f}" if name in result.rates else f" {'-':>9}"
        s = spread(values) if (values := result.over_peer()) else None
        line += f"   {s['median']:6.1f} {format_range(s, '.1f'):>11}" if s else f"   {'':18}"
        more = over_one(results, result)
        print(line + (f"   {more:.2f}" if more else ""))
    for name, reason in left_out.items():
        print(f"{name}: {reason}")
    if not all(result.same for result in results):
        print("\nat temperature 0 the sides generated different texts, so that a side is wrong")


def as_json(results: list[Result], left_out: dict[str, str]) -> dict[str, Any]:
    """Return the measurements as JSON types."""
    rows = [
        {
            "network": result.network,
            "streams": result.streams,
            "characters_per_second": {name: spread(v) | {"rounds": v} for name, v in result.rates.items()},
            "ours_over_torch": spread(values) if (values := result.over_peer()) else None,
            "ours_over_one": over_one(results, result),
            "same_text": result.same,
        }
        for result in results
    ]
    return {"results": rows, "left_out": left_out}


def arguments() -> argparse.Namespace:
    """Parse the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    side_by_side.add_options(parser, rounds=3, seconds=0.5)
    parser.add_argument("--networks", default=",".join(NETWORKS), help="CELL-H-L, with commas (default %(default)s)")
    parser.add_argument("--streams", type=int, default=256, help="texts at once (default %(default)s)")
    parser.add_argument("--peers", default=",".join(PEERS), help="sides, with commas (default %(default)s)")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    side_by_side.check_options(parser, options, PEERS)
    if options.streams < 2:
        parser.error("--streams must be at least 2")
    options.peers, options.networks = options.peers.split(","), options.networks.split(",")
    for network in options.networks:
        try:
            opened_config(network)
        except Exception as error:
            parser.error(f"a network is CELL-H-L, say {NETWORKS[0]}; got {network} ({error})")
    return options


def opened_config(network: str) -> Any:
    """Return the settings of the network with this name; raise an exception if the name is invalid."""
    from recurra.config import ModelConfig

    cell, hidden, layers = network.split("-")
    return ModelConfig(cell=cell, hidden_size=int(hidden), layers=int(layers))


def main() -> None:
    """Run the benchmark, or one of its child processes."""
    options = arguments()
    if options.work:
        work(options.work)
        return
    results, left_out = measure(options)
    packages = [PEERS[side][0] for side in options.peers]
    facts: dict[str, Any] = {
        "machine": one_core.machine(),
        "cores": len(one_core.cores()),
        "versions": {package: version(package) for package in packages if version(package)},
    }
    if options.json:
        print(json.dumps(facts | as_json(results, left_out), ensure_ascii=False))
        return
    versions = " · ".join(f"{package} {number}" for package, number in facts["versions"].items())
    print(f"{facts['machine']}, {facts['cores']} cores, {SYMBOLS} symbols\n{versions}\n")
    show(results, left_out)


if __name__ == "__main__":
    main()

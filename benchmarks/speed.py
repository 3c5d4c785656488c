"""The speed of training and of writing: recurra and its peers, in turn on the same cores.

    python benchmarks/speed.py
    python benchmarks/speed.py --cases classic,lstm-64-128-512-2,write-lstm-128-2-256 --cores 1 --rounds 5
    python benchmarks/speed.py --save docs/speed

Every side has one process for each number of cores, pinned to these cores from its start. Only one process works at a
time; a round times each side once, in turn, so that a slower machine slows all sides. The processes of recurra load all
kernels from the cache, which an earlier process has filled. The benchmark also compares the first losses from equal
weights, or texts at temperature 0, to check that all sides compute the same.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import compiled_kernels
import one_core
import product_cases
import side_by_side
import speed_tables
import workloads
from host_processor import processor
from peers.setting import book_text
from recurra.errors import RecurraError
from side_by_side import Side, off_by, progress, quotients, spread, version
from workloads import OURS, SIDES, kind_of, shape_of

CASES = (
    "classic",
    "lstm-64-128-512-2",
    "gru-64-128-512-2",
    "elman-64-128-512-2",
    "lstm-50-50-128-2",
    "gru-50-50-128-2",
    "elman-50-50-128-2",
    "lstm-1-50-128-1",
    "gru-1-50-128-1",
    "write-elman-100-1-1",
    "write-elman-100-1-256",
    "write-lstm-128-2-1",
    "write-lstm-128-2-256",
)
USUAL = ("recurra", "numpy", "torch", "jax", "jax-tuned", "jax-call")  # engine-torch is recurra with PyTorch
AGREEMENT = 1e-4  # largest accepted difference of the first results


class Case(NamedTuple):
    """A workload on a number of cores."""

    name: str
    cores: int

    @property
    def kind(self) -> str:
        """The kind of the workload."""
        return kind_of(self.name)


def cases(names: list[str], cores: list[int]) -> list[Case]:
    """Return the cases. One stream is sequential, so that it has one core; many texts have all cores."""
    result = []
    for name in names:
        single = name == "classic" or shape_of(name).batch == 1
        writing = kind_of(name) == "writing"
        result += [Case(name, n) for n in (cores[:1] if single else cores[-1:] if writing else cores)]
    return result


def work(text_path: str, side: str, cores: int) -> None:
    """Run the child process: a name on stdin opens a workload; a number of seconds times it."""
    compiled = compiled_kernels.count()
    text = Path(text_path).read_bytes().decode()
    now: list[workloads.Workload] = []

    def answer(question: str | float) -> dict[str, Any]:
        if isinstance(question, str):
            now.clear()
            now.append(workloads.open_workload(side, question, text, cores))
            return {"first": now[0].first}
        return {"rate": now[0].rate(question), "compiled": compiled()}

    side_by_side.serve(lambda: ({}, answer))


class Sides:
    """The processes of all sides; they start when a case needs them."""

    def __init__(self, folder: str, text: str) -> None:
        self.folder, self.text_path = Path(folder), Path(folder, "text.txt")
        self.text_path.write_bytes(text.encode())
        self.started: dict[tuple[str, int], Side] = {}
        self.compiled: dict[int, int] = {}  # number of cores: kernels compiled by the process of recurra

    def start(self, side: str, cores: int) -> Side:
        """Start the process of a side."""
        command = [str(Path(__file__).resolve()), "--work", str(self.text_path), side, str(cores)]
        log = self.folder / f"{side}-{cores}.log"
        return Side(side, command, log, cores=one_core.cores()[-cores:])

    def fill_cache(self, chosen: list[Case]) -> None:
        """Run every case of recurra once in a process that is not timed, so that the cache has all kernels."""
        first = self.start(OURS, max(case.cores for case in chosen))
        for name in dict.fromkeys(case.name for case in chosen):
            progress(f"{name}: loading the kernels")
            first.require(name)
            first.require(0.0)
        first.close()

    def measure(self, case: Case, names: list[str], *, rounds: int, seconds: float) -> dict[str, Any]:
        """Open the case on all sides, then time the sides in turn. Sides that fail are left out."""
        progress(f"{case.name}, {case.cores} cores: first runs")
        for name in names:
            if (name, case.cores) not in self.started:
                self.started[name, case.cores] = self.start(name, case.cores)
        sides = [self.started[name, case.cores] for name in names]
        opened = {side.name: side.ask(case.name) for side in sides}
        rates: dict[str, list[float]] = {name: [] for name in names}
        for number in range(1, rounds + 1):
            progress(f"{case.name}, {case.cores} cores: round {number} of {rounds}")
            for side in sides:
                if answer := side.ask(seconds):
                    rates[side.name].append(answer["rate"])
                    if side.name == OURS:
                        self.compiled[case.cores] = answer["compiled"]
        first = {side.name: opened[side.name] for side in sides if side.alive}
        results = {name: answer["first"] for name, answer in first.items() if answer}
        return summary(case, {name: rates[name] for name in results}, results)

    def close(self) -> dict[str, str]:
        """Stop all processes; return the reason of each side that failed."""
        reasons = {key: (side.alive, side.close()) for key, side in self.started.items()}
        return {f"{name}, {cores} cores": reason for (name, cores), (alive, reason) in reasons.items() if not alive}


def summary(case: Case, rates: dict[str, list[float]], first: dict[str, list[float]]) -> dict[str, Any]:
    """Return the measurements of a case as JSON types.

    Args:
        case: the case.
        rates: updates or characters a second in each round, by side.
        first: the first results of each side.
    """
    ours = rates.get(OURS, [])
    over = {name: spread(quotients(ours, values)) for name, values in rates.items() if ours and name != OURS}
    peers = {name: statistics.median(values) for name, values in rates.items() if name != OURS}
    return {
        "case": case.name,
        "cores": case.cores,
        "unit": workloads.UNITS[case.kind],
        "rates": {name: spread(values) for name, values in rates.items()},
        "faster_peer": max(peers, key=lambda name: peers[name]) if peers else None,
        "ours_over_peer": over,
        "first_results_off_by": disagreement(first),
    }


def disagreement(first: dict[str, list[float]]) -> dict[str, float]:
    """Return the difference of each side's first results from those of the first side that has some."""
    known = {name: values for name, values in first.items() if values}
    truth = next(iter(known.values()), [])
    return {name: off_by(values, truth) for name, values in known.items() if values is not truth}


def measure(options: argparse.Namespace, text: str) -> dict[str, Any]:
    """Measure every case on every installed side."""
    packages = {name: package for sides in SIDES.values() for name, package in sides.items() if name in options.sides}
    left_out = {name: "not installed" for name, package in packages.items() if version(package) is None}
    chosen = cases(options.cases, options.cores)
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    results = []
    with tempfile.TemporaryDirectory(prefix="recurra-bench-") as folder:
        sides = Sides(folder, text)
        if OURS in options.sides:
            sides.fill_cache(chosen)
        for case in chosen:
            names = [name for name in SIDES[case.kind] if name in options.sides and name not in left_out]
            results.append(sides.measure(case, names, rounds=options.rounds, seconds=options.seconds))
        left_out |= sides.close()
    return {
        "date": f"{dt.date.today():%Y-%m-%d}",
        "processor": processor(),
        "versions": {name: number for name in sorted(set(packages.values())) if (number := version(name))},
        "load": load,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "tile": product_cases.tile(),
        "compiled_in_timed_processes": sum(sides.compiled.values()),
        "left_out": left_out,
        "results": results,
    }


def problems(measured: dict[str, Any]) -> list[str]:
    """Return the reasons for which the measurements are not valid."""
    found = [
        f"{row['case']}: the first results of {name} differ from those of the other sides by {off:.0e}"
        for row in measured["results"]
        for name, off in row["first_results_off_by"].items()
        if not off < AGREEMENT
    ]
    if measured["compiled_in_timed_processes"]:
        found.append("a timed process compiled kernels, so that the times are not those of code from the cache")
    return found


def _listed(check: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """Return a parser of values that are separated by commas."""
    return lambda text: [check(part) for part in text.split(",")]


def _case(name: str) -> str:
    try:
        kind_of(name)
    except (ValueError, RecurraError) as error:
        forms = f"a case is classic, CELL-B-T-H-L or write-CELL-H-L-N, such as {CASES[1]} or {CASES[-1]}"
        raise argparse.ArgumentTypeError(f"{forms}; got {name} ({error})") from error
    return name


def _side(name: str) -> str:
    known = list(dict.fromkeys(name for sides in SIDES.values() for name in sides))
    if name not in known:
        raise argparse.ArgumentTypeError(f"unknown side {name!r}; known are {', '.join(known)}")
    return name


def _cores(text: str) -> int:
    most = max(len(one_core.cores()), 1)
    if not (text.isdecimal() and 1 <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"from 1 to the {most} cores of this process; got {text}")
    return int(text)


def arguments() -> argparse.Namespace:
    """Parse the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    side_by_side.add_options(parser, rounds=3, seconds=1)
    both = ",".join("12"[: len(one_core.cores()) or 1])
    lists = {"cases": (_case, ",".join(CASES)), "sides": (_side, ",".join(USUAL)), "cores": (_cores, both)}
    for name, (check, default) in lists.items():
        help_line = f"{name}, with commas (default %(default)s)"
        parser.add_argument(f"--{name}", type=_listed(check), default=default, help=help_line)
    parser.add_argument("--markdown", action="store_true", help="tables in Markdown, as in docs/speed-tables.md")
    parser.add_argument("--save", type=Path, metavar="DIR", help="write DIR/CORE.json and the tables made from DIR")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    side_by_side.check_rounds(parser, options)
    options.cores = sorted(options.cores)
    return options


def main() -> None:
    """Run the benchmark, or one of its child processes."""
    options = arguments()
    if options.work:
        text_path, side, cores = options.work
        work(text_path, side, int(cores))
        return
    text, name = book_text()
    measured = measure(options, text) | {"text": name}
    if options.json:
        print(json.dumps(measured, ensure_ascii=False))
    else:
        print(speed_tables.page(measured) if options.markdown else speed_tables.plain(measured))
    found = problems(measured)
    if options.save and measured["left_out"]:
        found.append(f"not saved, because these programs are missing: {', '.join(measured['left_out'])}")
    if found:
        sys.exit("\n".join(found))
    if options.save:
        speed_tables.save(measured, options.save)


if __name__ == "__main__":
    main()

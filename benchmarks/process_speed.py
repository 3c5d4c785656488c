"""Updates a second of training in one process and in two processes of this machine, in turn on the same cores.

    python benchmarks/process_speed.py --cell lstm --hidden-size 128 --layers 2 --batch-size 64 --engine compiled

Each timing is a whole training by torchrun without its start. One process with two threads (`threads 2`) uses as many
cores as two processes with one thread each, and shows the cost of the exchange between processes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import side_by_side
from side_by_side import format_range, progress, quotients, spread

SIDES = {"1 process": (1, 1), "threads 2": (1, 2), "2 processes": (2, 1)}  # processes, and threads of each
PLAIN = ["--preset=classic", "--initial-scale=none", "--optimizer=adam", "--learning-rate=0.002", "--sample-every=0"]


def rate(options: argparse.Namespace, processes: int, threads: int, folder: Path) -> float:
    """Run one training; return its updates a second."""
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m", "--"]
    sizes = ("cell", "hidden_size", "layers", "batch_size", "sequence_length", "engine", "updates")
    named = [f"--{name.replace('_', '-')}={getattr(options, name)}" for name in sizes]
    train = ["recurra", "train", options.text, *PLAIN, *named, f"--threads={threads}", "--no-proof", "--quiet"]
    line = [*start, *train, "--json", "--force", f"--run={folder}"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return float(json.loads(done.stdout)["updates_per_second"])


def measure(options: argparse.Namespace) -> dict[str, list[float]]:
    """Return the rate of every side in each round."""
    rates: dict[str, list[float]] = {name: [] for name in SIDES}
    with tempfile.TemporaryDirectory(prefix="recurra-bench-") as folder:
        for number in range(1, options.rounds + 1):
            for name, (processes, threads) in SIDES.items():
                progress(f"round {number} of {options.rounds}: {name}")
                rates[name].append(rate(options, processes, threads, Path(folder, "run")))
    return rates


def show(rates: dict[str, list[float]]) -> None:
    """Print the table."""
    print(f"{'':12} {'updates/s':>10}   over 1 process")
    for name, side_rates in rates.items():
        over = spread(quotients(side_rates, rates["1 process"]))
        middle = spread(side_rates)["median"]
        print(f"{name:12} {middle:10.1f}   {over['median']:.2f} ({format_range(over, '.2f')})")


def arguments() -> argparse.Namespace:
    """Parse the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    side_by_side.add_options(parser, rounds=3, seconds=0)
    parser.add_argument("--text", default="kjv", help="training text (default %(default)s)")
    defaults: dict[str, Any] = {"cell": "lstm", "engine": "compiled"}
    defaults |= {"hidden-size": 128, "layers": 2, "batch-size": 64, "sequence-length": 50, "updates": 100}
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", default=value, type=type(value), help="default %(default)s")
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    options = arguments()
    rates = measure(options)
    if options.json:
        print(json.dumps({name: spread(values) | {"rounds": values} for name, values in rates.items()}))
        return
    show(rates)


if __name__ == "__main__":
    main()

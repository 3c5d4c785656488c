"""The cost of a checkpoint every second: trainings with and without checkpoints, in turn, and the ratio of speeds.

    python benchmarks/checkpoint_cost.py --rounds 7 --seconds 5 --folder /where/the/disk/is

Both trainings of a pair have the same updates and the same seed. Neither time includes the checkpoint at the end. The
speed is `updates_per_second` of the summary, from the first update to the last. A busy machine widens the range.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import recurra
from host_processor import processor
from side_by_side import format_range, progress, quotients, spread

BATCH = {"optimizer": "adam", "clip_value": None, "initial_scale": None, "batch_size": 32, "sequence_length": 96}
TRAININGS: dict[str, dict[str, Any]] = {
    "classic": {"preset": "classic"},
    "lstm 2 x 256": BATCH | {"cell": "lstm", "hidden_size": 256, "layers": 2, "learning_rate": 0.004},
    "lstm 2 x 512": BATCH | {"cell": "lstm", "hidden_size": 512, "layers": 2, "learning_rate": 0.003},
}
NEVER = 1e9  # seconds


def speed(folder: str | None, text: Any, settings: dict[str, Any], updates: int, every: float) -> float:
    """Run one training without samples; return its updates a second."""
    with tempfile.TemporaryDirectory(prefix="recurra-bench-", dir=folder) as place:
        named: dict[str, Any] = {"preset": "classic", "sample_every": 0} | settings
        named |= {"updates": updates, "checkpoint_every": every}
        run = recurra.train(text=text, run=Path(place, "run"), proof=False, report=False, **named)
        return float(run.summary["updates_per_second"])


def compare(name: str, text: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Run pairs of trainings with and without checkpoints, in alternating order; return the speeds and their ratio."""
    settings = TRAININGS[name]
    speed(options.folder, text, settings, 20, NEVER)  # compiles
    updates = max(20, round(speed(options.folder, text, settings, 20, NEVER) * options.seconds))
    rates: dict[float, list[float]] = {options.every: [], NEVER: []}
    for number in range(options.rounds):
        for every in list(rates)[:: 1 if number % 2 else -1]:
            rates[every].append(speed(options.folder, text, settings, updates, every))
        progress(f"{name}: round {number + 1} of {options.rounds}")
    quotient = spread(quotients(rates[options.every], rates[NEVER]))
    return {"training": name, "updates": updates, "with": spread(rates[options.every]), "quotient": quotient}


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", default="kjv", help="a book's name or a file")
    parser.add_argument("--trainings", default=",".join(TRAININGS), help="of " + ", ".join(TRAININGS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each training")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between checkpoints")
    parser.add_argument("--folder", help="folder of the run directories")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    from recurra.text.reading import read

    text = read(options.text)
    rows = [compare(name.strip(), text, options) for name in options.trainings.split(",")]
    if options.json:
        print(json.dumps(rows))
        return
    print(processor()["name"])
    print(f"a checkpoint every {options.every:g} s and none; {options.rounds} rounds of {options.seconds:g} s each")
    for row in rows:
        cost = 100 * (1 - row["quotient"]["median"])
        print(
            f"{row['training']:14} {row['with']['median']:9,.1f} updates/s   cost {cost:5.2f} %   "
            f"quotient {format_range(row['quotient'], '.4f')}"
        )


if __name__ == "__main__":
    main()

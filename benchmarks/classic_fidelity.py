"""Mean losses over several seeds of recurra and of a float64 NumPy program, which must agree.

    python benchmarks/classic_fidelity.py --seeds 8

Training with AdaGrad at 0.1 is chaotic: two correct programs diverge within ten updates, so that single runs cannot be
compared. The mean over the seeds of the loss in updates 30,001 to 48,000 must agree.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import multiprocessing
import os
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

import one_core

SIDES = ("recurra", "numpy")


@functools.cache
def text_of(book: str) -> str:
    """Return the text of a book, which each process reads once."""
    from peers.setting import book_text

    text, name = book_text(book)
    assert not name.startswith("synthetic"), name
    return text


def mean_loss(side: str, seed: int, book: str, first: int, last: int) -> float:
    """Return the mean loss of updates `first` + 1 to `last` of one training, in nats per 25 characters."""
    text = text_of(book)
    if side == "recurra":
        from peers import recurra_classic

        return recurra_classic.Peer(text).mean_loss(seed, first, last)
    from peers import numpy_min_char, setting

    ids, symbols = setting.encode(text)
    peer = numpy_min_char.Peer(symbols, seed=seed)
    peer.train(ids, first)
    return float(peer.train(ids, last - first).mean())


def measure(seeds: int, book: str, first: int, last: int, workers: int) -> dict[str, list[float]]:
    """Return the mean loss of both sides for each seed; `workers` processes run the trainings."""
    os.environ.update(one_core.ONE_THREAD)
    for name in one_core.REMOVED:
        os.environ.pop(name, None)
    results: dict[str, list[float]] = {side: [math.nan] * seeds for side in SIDES}
    start = time.perf_counter()
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = {
            pool.submit(mean_loss, side, seed, book, first, last): (side, seed)
            for seed in range(seeds)
            for side in SIDES
        }
        for job in as_completed(jobs):
            side, seed = jobs[job]
            results[side][seed] = job.result()
            elapsed = time.perf_counter() - start
            print(f"{elapsed:6.0f} s  {side} seed {seed}: {results[side][seed]:.4f}", file=sys.stderr, flush=True)
    return results


def compare(results: dict[str, list[float]]) -> dict[str, float]:
    """Return the means, their standard errors, and their difference, also in units of its standard error."""
    ours, theirs = (results[side] for side in SIDES)
    errors = [statistics.stdev(values) / math.sqrt(len(values)) for values in (ours, theirs)]
    difference = statistics.fmean(ours) - statistics.fmean(theirs)
    error = math.hypot(*errors)
    return {
        "recurra": statistics.fmean(ours),
        "recurra_standard_error": errors[0],
        "numpy": statistics.fmean(theirs),
        "numpy_standard_error": errors[1],
        "difference": difference,
        "difference_standard_error": error,
        "difference_in_standard_errors": difference / error,
    }


def arguments() -> argparse.Namespace:
    """Parse the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=8, help="trainings on each side (default 8)")
    parser.add_argument("--first", type=int, default=30_000, help="updates before the averaged ones")
    parser.add_argument("--last", type=int, default=48_000, help="number of updates")
    parser.add_argument("--book", default="kjv", help="the text (default kjv)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    options = parser.parse_args()
    if options.seeds < 2 or options.workers < 1:
        parser.error("--seeds must be at least 2 and --workers at least 1")
    if not 0 <= options.first < options.last or options.first % 500 or options.last % 500:
        parser.error("--first and --last must be multiples of 500, the first below the last")
    return options


def main() -> None:
    """Run both sides and print the comparison."""
    options = arguments()
    results = measure(options.seeds, options.book, options.first, options.last, options.workers)
    summary = compare(results)
    if options.json:
        print(json.dumps({**vars(options), **summary, "runs": results}))
        return
    print(f"mean loss of updates {options.first + 1:,} to {options.last:,}, nats a sequence of 25 characters")
    for side in SIDES:
        print(f"{side:12} {summary[side]:8.4f} ± {summary[side + '_standard_error']:.4f} (standard error)")
    print(
        f"{'difference':12} {summary['difference']:+8.4f} ± {summary['difference_standard_error']:.4f}",
        end="",
    )
    print(f", that is {summary['difference_in_standard_errors']:+.2f} standard errors")


if __name__ == "__main__":
    main()

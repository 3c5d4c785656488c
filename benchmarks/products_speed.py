"""A roofline of the matrix products of training: GFLOP/s reached, of the peak of the same core.

    python benchmarks/products_speed.py --hidden 512 --streams 1,16,64 --rounds 5

One process, pinned to one core, computes every product by recurra's kernels and by NumPy (BLAS with one thread), in
turn with a loop in registers that gives the peak of the core. This process compiles no kernel: an earlier process has
filled the kernel cache. Times are CPU times of the thread, so that another program on the core changes little.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import threadpoolctl

import compiled_kernels
import core_peak
import one_core
import product_cases
import side_by_side
from host_processor import processor
from product_cases import Case, Product
from product_loops import compiled_loop
from side_by_side import Side, format_range, progress, quotients, spread
from tables import aligned, markdown

KINDS = tuple(product_cases.SIZES)
SIDES = ("peak", "multiply", "with packing", "numpy")


def blas() -> str:
    """Return the name, the version and the kernels of NumPy's BLAS."""
    pools = [pool for pool in threadpoolctl.threadpool_info() if "numpy" in pool["filepath"]]
    names = [f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}" for pool in pools]
    return ", ".join(names) or "an unknown BLAS"


def work(folder: str) -> None:
    """Run the child process: a case on stdin selects a product, a number of seconds times each side."""
    compiled = compiled_kernels.count()
    loop, fused = compiled_loop(folder), product_cases.is_fused()
    now: list[Product] = []

    def answer(question: list[Any] | float) -> dict[str, Any]:
        if isinstance(question, list):
            now[:] = [product_cases.product(Case(*question), loop)]
            return {"compiled": compiled()}
        product, operations = now[0], now[0].case.operations
        return {
            "peak": core_peak.peak(fused, question),
            "multiply": product_cases.rate(product.multiply, operations, question),
            "with packing": product_cases.rate(product.with_packing, operations, question),
            "numpy": product_cases.rate(product.numpy, operations, question),
        }

    def open_side() -> tuple[dict[str, Any], Callable[[Any], dict[str, Any]]]:
        facts = {
            "peak": {"strict": core_peak.peak(False, 0.2), "fused": core_peak.peak(True, 0.2)},
            "arithmetic": "fused" if fused else "strict",
            "tile": product_cases.tile(),
            "blas": blas(),
        }
        return facts, answer

    side_by_side.serve(open_side)


class Result(NamedTuple):
    """One product and the GFLOP/s of all sides in each round."""

    case: Case
    rates: dict[str, list[float]]

    def of_peak(self, side: str) -> list[float]:
        """Return the share of the core's peak in each round."""
        return quotients(self.rates[side], self.rates["peak"])

    def over_numpy(self) -> list[float]:
        """Return the speed of recurra with packing over NumPy's in each round."""
        return quotients(self.rates["with packing"], self.rates["numpy"])


def measure(options: argparse.Namespace) -> tuple[list[Result], dict[str, Any]]:
    """Run the products in a first process, and time them in a second one; return the results and the conditions."""
    every = product_cases.cases(options.hidden, options.gates, options.streams, options.symbols)
    chosen = [case for case in every if case.kind in options.products]
    cores = [] if options.core is None else [options.core]
    results = []
    with tempfile.TemporaryDirectory(prefix="recurra-bench-") as folder:

        def start(name: str) -> Side:
            command = [str(Path(__file__).resolve()), "--work", folder]
            return Side(name, command, Path(folder, f"{name}.log"), cores=cores)

        progress("compiling")
        first = start("first")
        for case in {(case.kind, case.streams == 1): case for case in chosen}.values():
            first.require(case)
        first.close()
        timed, compiled = start("timed"), 0
        for case in chosen:
            progress(" ".join(map(str, case)))
            compiled = timed.require(case)["compiled"]
            rounds = [timed.require(options.seconds) for _ in range(options.rounds)]
            results.append(Result(case, {side: [one[side] for one in rounds] for side in SIDES}))
        timed.close()
    return results, timed.ready | {"compiled_in_timed_process": compiled}


def rows(results: list[Result]) -> list[list[str]]:
    """Return the table: sizes, GFLOP/s and shares of the peak, each with the median, and ranges over the rounds."""
    table = [["product", "H", "B", "rows", "columns", "terms", "GFLOP/s", "of the peak", "range", "with packing"]]
    table[0] += ["of the peak", "NumPy", "recurra / NumPy", "range"]
    for result in results:
        bare, whole, over = spread(result.of_peak("multiply")), result.of_peak("with packing"), result.over_numpy()
        middle = {side: f"{spread(values)['median']:.1f}" for side, values in result.rates.items()}
        sizes = (result.case.hidden, result.case.streams, *result.case.sizes)
        line = [result.case.kind, *map(str, sizes), middle["multiply"], f"{bare['median']:.0%}"]
        line += [f"{bare['min']:.0%}..{bare['max']:.0%}", middle["with packing"], f"{spread(whole)['median']:.0%}"]
        line += [middle["numpy"], f"{spread(over)['median']:.2f}", format_range(spread(over), ".2f")]
        table.append(line)
    return table


def as_json(results: list[Result]) -> list[dict[str, Any]]:
    """Return the measurements as JSON types."""
    return [
        result.case._asdict()
        | {"gflops": {side: spread(values) for side, values in result.rates.items()}}
        | {"of_peak": {side: spread(result.of_peak(side)) for side in SIDES[1:]}}
        | {"ours_over_numpy": spread(result.over_numpy())}
        for result in results
    ]


def _numbers(text: str) -> list[int]:
    """Parse "1,16" as positive numbers."""
    values = [int(part) for part in text.split(",")]
    if min(values) < 1:
        raise ValueError(text)
    return values


def arguments() -> argparse.Namespace:
    """Parse the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    side_by_side.add_options(parser, rounds=5, seconds=0.02)
    listed = {
        "hidden": ("128,512", "numbers of hidden units"),
        "gates": ("4", "numbers of gates: 1 elman, 3 GRU, 4 LSTM"),
        "streams": ("1,2,4,8,16,24,26,32,50,64", "numbers of streams in a recurrent product"),
        "symbols": ("65,80,96,128", "numbers of symbols"),
    }
    for name, (default, meaning) in listed.items():
        parser.add_argument(f"--{name}", type=_numbers, default=default, help=f"{meaning} (default %(default)s)")
    parser.add_argument("--products", default=",".join(KINDS), help="products, with commas (default %(default)s)")
    parser.add_argument("--core", type=int, help="core for all sides (default: the last available core)")
    parser.add_argument("--markdown", action="store_true", help="a table in Markdown")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    side_by_side.check_rounds(parser, options)
    options.products = options.products.split(",")
    if unknown := sorted(set(options.products) - set(KINDS)):
        parser.error(f"unknown product {unknown[0]!r}; known are {', '.join(KINDS)}")
    if options.core is None and (allowed := one_core.cores()):
        options.core = allowed[-1]
    return options


def main() -> None:
    """Run the benchmark, or one of its child processes."""
    options = arguments()
    if options.work:
        work(options.work)
        return
    results, facts = measure(options)
    facts = {"processor": processor()} | facts
    if options.json:
        print(json.dumps(facts | {"results": as_json(results)}, ensure_ascii=False))
    else:
        peaks = ", ".join(f"{name} {value:.0f}" for name, value in facts["peak"].items())
        print(f"{facts['processor']['generation']} ({facts['processor']['name']}), core {options.core}")
        print(f"peak in GFLOP/s: {peaks}; NumPy with {facts['blas']}")
        print(f"kernels: {facts['arithmetic']} arithmetic, tile {facts['tile']}, ", end="")
        print(f"{facts['compiled_in_timed_process']} compiled in the timed process\n")
        print((markdown if options.markdown else aligned)(rows(results)))
    if facts["compiled_in_timed_process"]:
        sys.exit("the timed process compiled kernels, so that the times are not those of code from the cache")


if __name__ == "__main__":
    main()

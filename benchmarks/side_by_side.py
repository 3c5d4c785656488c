"""Comparison of programs: one process for each, requests and responses as JSON lines, rounds, medians and ranges."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import one_core


def serve(open_side: Callable[[], tuple[dict[str, Any], Callable[[Any], dict[str, Any]]]]) -> None:
    """Run the child process: write a JSON line when ready, then one response for each line of stdin.

    `open_side` returns the first line and the function that computes a response.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)  # output of libraries must not mix with the responses
    ready, answer = open_side()
    print(json.dumps(ready), file=answers)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=answers)


class Side:
    """The process of one side, pinned to `cores` from its start, so that all of its threads share them."""

    def __init__(self, name: str, arguments: list[str], log: Path, *, cores: Sequence[int]) -> None:
        self.name, self.threads, self.log = name, len(cores) or 1, log
        with self.log.open("w") as stderr, one_core.pinned(cores):
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                env=one_core.environment(self.threads),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self.alive = True
        self.ready = self._answer() or {}

    def ask(self, question: Any) -> dict[str, Any] | None:
        """Send a request to the child process and return its response; None if the process has ended."""
        assert self.process.stdin is not None
        if not self.alive:
            return None
        try:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self.alive = False
            return None
        return self._answer()

    def require(self, question: Any) -> dict[str, Any]:
        """Send a request and return the response; exit if the process has ended."""
        answer = self.ask(question)
        if answer is None:
            sys.exit(f"the benchmark ended at {question}: {self.close()}")
        return answer

    def _answer(self) -> dict[str, Any] | None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.alive = bool(line)
        return json.loads(line) if line else None

    def close(self) -> str:
        """Stop the child process; return the last line of its stderr, which has the reason if it failed."""
        self.process.communicate()
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"ended with status {self.process.returncode}"


def version(package: str) -> str | None:
    """Return the version of a package; None if it is not installed."""
    if importlib.util.find_spec(package) is None:
        return None
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "from source"


def progress(message: str) -> None:
    """Print a line to stderr."""
    print(message, file=sys.stderr, flush=True)


def spread(values: list[float]) -> dict[str, Any]:
    """Return the median, the minimum and the maximum."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def format_range(values: dict[str, Any], form: str) -> str:
    """Format a range as "minimum..maximum"."""
    return f"{values['min']:{form}}..{values['max']:{form}}"


def quotients(rates: list[float], others: list[float]) -> list[float]:
    """Return one side's rate over another's for each round."""
    return [rate / other for rate, other in zip(rates, others, strict=True)]


def off_by(values: list[float], truth: list[float]) -> float:
    """Return the largest difference of values from the true ones, relative to true values above 1."""
    return max(abs(value - true) / max(abs(true), 1.0) for value, true in zip(values, truth, strict=True))


def add_options(parser: Any, *, rounds: int, seconds: float) -> None:
    """Add the options of every benchmark."""
    parser.add_argument("--rounds", type=int, default=rounds, help=f"number of timings of each side (default {rounds})")
    parser.add_argument("--seconds", type=float, default=seconds, help=f"wall time of one timing (default {seconds})")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")


def check_rounds(parser: Any, options: Any) -> None:
    """Exit with an error if the number of rounds or the time of a timing is invalid."""
    if options.rounds < 1 or not options.seconds > 0:
        parser.error("--rounds must be at least 1 and --seconds greater than 0")

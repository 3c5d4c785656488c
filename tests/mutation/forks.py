"""Run pytest for every line `SECONDS TEST …` of standard input, and print the exit status: 0 if the tests pass.

Every run is a fork of this process, which has already imported the modules that no mutant changes. `mutants.py` starts
this program.
"""

from __future__ import annotations

import importlib
import os
import resource
import signal
import sys
import time

import pytest

SHARED = ("hypothesis.strategies", "numba", "numpy", "safetensors.numpy")  # imported once, before the forks
MEMORY_LIMIT = 6 << 30  # bytes of address space: a mutant that allocates more fails


def run(tests: list[str]) -> int:
    """Run the tests in this process without output, up to the first failure. Return the exit status."""
    null_device = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null_device, stream)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    return int(pytest.main(["-x", "-q", "--assert=plain", "--basetemp=temporary", "-p", "no:cacheprovider", *tests]))


def main() -> None:
    """Run each line in a fork. Kill a fork and its children after the time limit, or if the parent has ended."""
    parent = os.getppid()
    for name in SHARED:
        importlib.import_module(name)
    for line in sys.stdin:
        seconds, *tests = line.split()
        end, child = time.monotonic() + float(seconds), os.fork()
        if child == 0:
            os.setsid()
            os._exit(run(tests))
        while (ended := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < end and os.getppid() == parent:
            time.sleep(0.02)
        if ended[0] == 0:
            os.killpg(child, signal.SIGKILL)
            ended = os.waitpid(child, 0)
        print(ended[1], flush=True)


if __name__ == "__main__":
    main()

"""Runs pytest for every line of standard input, `SECONDS TEST …`, and prints how it ended: 0 if all is well.

Each run is a fork of this process, which has imported all that stays the same. `mutants.py` starts it.
"""

from __future__ import annotations

import importlib
import os
import resource
import signal
import sys
import time

import pytest

SHARED = ("hypothesis.strategies", "numba", "numpy", "safetensors.numpy")  # what the forks need not import again
MEMORY = 6 << 30  # bytes of addresses: what asks for more has gone wrong


def run(tests: list[str]) -> int:
    """The tests in this process, up to the first that fails; silent."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    return int(pytest.main(["-x", "-q", "--assert=plain", "--basetemp=temporary", "-p", "no:cacheprovider", *tests]))


def main() -> None:
    """Fork, and wait until it ends; after its time, or where nobody waits any more, kill it and all it has started."""
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

"""The number of kernels that Numba compiles in a process.

Code loaded from the kernel cache can be slower or faster than the same code compiled in the process. Therefore a first
process fills the cache, and only a process that compiles nothing is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core import event


def count() -> Callable[[], int]:
    """Start to count; return a function that returns the number of functions that Numba has compiled since."""
    numba_event: Any = event  # Numba has no type hints
    compilations = numba_event.RecordingListener()
    numba_event.register("numba:compile", compilations)
    return lambda: sum(one.is_start for _, one in compilations.buffer)

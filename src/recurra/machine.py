"""What this process may use of the machine, what it has used, and whether it is one of several."""

from __future__ import annotations

import os
import platform


def usable_cpus() -> int:
    """How many CPUs this process may run on; all there are, where the system does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_silent() -> bool:
    """Whether another process speaks for this one: it is one of several, and not the first."""
    return os.environ.get("WORLD_SIZE", "1") != "1" and os.environ.get("RANK", "0") != "0"


def peak_memory() -> int | None:
    """The largest resident memory of this process so far, in bytes; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    scale = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale

"""What this process may use of the machine."""

from __future__ import annotations

import os


def usable_cpus() -> int:
    """How many CPUs this process may run on; all there are, where the system does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

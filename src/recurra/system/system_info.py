"""CPUs and memory that this process may use, and memory that it has used."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import platform
from pathlib import Path

CGROUPS, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def cache_folder() -> Path:
    """Return the folder of the caches of this program.

    A user without a home directory (a container under a number that has no account) has it in the root directory, as
    container engines have it.
    """
    import platformdirs

    with contextlib.suppress(RuntimeError):  # raised by platformdirs; older versions return `~` as it is
        folder = Path(platformdirs.user_cache_dir("recurra"))
        if folder.is_absolute():
            return folder
    return Path(os.sep, ".cache", "recurra").absolute()


def usable_cpus() -> int:
    """How many CPUs this process may use: those that it may run on, or its quota of their time if that is less.

    Where the system does not say, it is all there are.
    """
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(CGROUPS, MEMBERSHIP)
    return there if quota is None else max(1, min(there, math.ceil(quota)))


@functools.cache
def cpu_quota(root: Path, membership: Path) -> float | None:
    """Return how many CPUs' time the control groups of this process allow; None without a limit.

    Linux keeps version 2 in `root`, or in its folder unified, and version 1 in its folder cpu; `membership` has the
    group of each. A container may see its own group as the root. Every group above limits, too.
    """
    try:
        lines = membership.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    quotas = []
    for line in lines:
        number, controllers, group = (*line.split(":", 2), "", "")[:3]
        if number == "0":
            folders = [root, root / "unified"]
        elif "cpu" in controllers.split(","):
            folders = [root / "cpu", root / controllers]
        else:
            continue
        own = Path(group.lstrip("/"))
        quotas += [_quota(folder / part) for folder in folders for part in (own, *own.parents)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota(folder: Path) -> float | None:
    """Return the limit of one group, from cpu.max (version 2) or cpu.cfs_quota_us (version 1); None without any."""
    for names in (["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]):
        try:
            quota, period = " ".join((folder / name).read_text(encoding="utf-8") for name in names).split()
            share = float(quota) / float(period)
        except (OSError, ValueError, ZeroDivisionError):  # no such file, or `max`: no limit
            continue
        if 0 < share < math.inf:  # version 1 writes -1 for no limit
            return share
    return None


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

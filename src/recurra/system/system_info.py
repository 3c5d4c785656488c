"""The CPUs that this process may use, its memory, and its cache folder."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import platform
from pathlib import Path

CGROUPS, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def cache_folder() -> Path:
    """Return the folder for caches of recurra.

    A user may have no home directory, as in a container with a numeric user. The folder is then below the root
    directory, which container engines use as home.
    """
    import platformdirs

    with contextlib.suppress(RuntimeError):  # from platformdirs; older versions return a path with `~`
        folder = Path(platformdirs.user_cache_dir("recurra"))
        if folder.is_absolute():
            return folder
    return Path(os.sep, ".cache", "recurra").absolute()


def usable_cpus() -> int:
    """Return the number of CPUs that this process may use: its CPU affinity, or its CPU quota if the quota is less.

    If the system has no affinity, all CPUs count.
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(CGROUPS, MEMBERSHIP)
    return cpus if quota is None else max(1, min(cpus, math.ceil(quota)))


@functools.cache
def cpu_quota(root: Path, membership: Path) -> float | None:
    """Return the CPU quota of this process as a number of CPUs, such as 1.5; None without a limit.

    Linux has control groups of version 2 in `root` or in its folder `unified`, and of version 1 in its folder `cpu`.
    The file `membership` lists the group of this process in each version. The limits of parent groups apply, too. In a
    container, the root may be the group of the container itself.
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
        path = Path(group.lstrip("/"))
        quotas += [_quota(folder / part) for folder in folders for part in (path, *path.parents)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota(folder: Path) -> float | None:
    """Return the limit of one group in CPUs, from cpu.max (version 2) or cpu.cfs_quota_us (version 1), or None."""
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
    """Return True if this is a worker process of a distributed training, for which the leader process prints."""
    return os.environ.get("WORLD_SIZE", "1") != "1" and os.environ.get("RANK", "0") != "0"


def peak_memory() -> int | None:
    """Return the peak resident memory of this process so far, in bytes; None on systems without that number."""
    try:
        import resource
    except ImportError:
        return None
    scale = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale

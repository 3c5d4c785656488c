"""Equal conditions for all timings: as many cores as threads, and no tuning of BLAS."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "BLIS_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}
REMOVED = (
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "MKL_DEBUG_CPU_TYPE",
    "OMP_PROC_BIND",
    "GOMP_CPU_AFFINITY",
)


def environment(threads: int = 1) -> dict[str, str]:
    """Return the environment of a child process: this environment with `threads` threads, without settings of BLAS.

    XLA has no setting for the number of threads: with more than one, it uses the cores to which the process is pinned.
    """
    kept = {name: value for name, value in os.environ.items() if name not in REMOVED}
    if threads == 1:
        return kept | ONE_THREAD
    more = {name: str(threads) for name, value in ONE_THREAD.items() if value == "1"}
    return {name: value for name, value in kept.items() if name != "XLA_FLAGS"} | {"JAX_PLATFORMS": "cpu"} | more


def cores() -> list[int]:
    """Return the cores that this process may use; an empty list if the system has no such function."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


@contextlib.contextmanager
def pinned(chosen: Collection[int]) -> Iterator[None]:
    """Pin this thread, and the processes that it starts meanwhile, to the cores `chosen`, unless this is empty."""
    if not chosen or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, chosen)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)

"""The products of one time step after the other, in one compiled call: the loop of a layer without its gates.

A call from Python costs about a microsecond, more than a small product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numba

from recurra.engines.kernels.gemm import step_product
from recurra.engines.kernels.lanes import Vector

Loop: TypeAlias = Callable[[Vector, Vector, Vector, int, Vector], None]


def step_products(x: Vector, W: Vector, y: Vector, streams: int, packed: Vector) -> None:
    """Compute y[t] = x[t] W^T for every time step.

    Args:
        x: (T B, depth).
        W: W^T (depth, N) in the form of `step_product`.
        y: (T B, N); written.
        streams: B.
        packed: workspace for packed rows; overwritten.
    """
    for t in range(x.shape[0] // streams):
        now = slice(t * streams, t * streams + streams)
        step_product(x[now], W, y[now], packed)


def compiled_loop(folder: str) -> Loop:
    """Return `step_products`, compiled and stored in `folder` by Numba.

    Use a new folder for each benchmark, because Numba does not check if the kernels have changed.
    """
    settings: Any = numba.config
    settings.CACHE_DIR = folder
    loop: Loop = numba.njit(nogil=True, error_model="numpy", cache=True)(step_products)
    return loop

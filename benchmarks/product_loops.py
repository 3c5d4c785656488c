"""The products of one time step after the other, in one compiled call: the loop of a layer without its gates.

A call from Python costs about a microsecond, more than a small product. Numba stores the compiled loop in
`NUMBA_CACHE_DIR`, which must be a new folder for each benchmark: this cache does not check the called kernels.
"""

from __future__ import annotations

from typing import Any

import numba

from recurra.engines.kernels.gemm import step_product
from recurra.engines.kernels.lanes import Vector


def _step_products(x: Vector, W: Vector, y: Vector, streams: int, packed: Vector) -> None:
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


step_products: Any = numba.njit(nogil=True, error_model="numpy", cache=True)(_step_products)

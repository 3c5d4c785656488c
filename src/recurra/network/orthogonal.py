"""Draw random orthogonal matrices that have the same bits on every machine.

The code calls neither LAPACK nor BLAS, because the order of their sums depends on the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from recurra.system.random_streams import Stream

    Floats = npt.NDArray[np.float64]


def orthogonal(n: int, stream: Stream) -> Floats:
    """Return a float64 matrix Q (n, n) with Q^T Q = 1, uniform over all such matrices (Haar measure).

    The function draws n (n + 1) / 2 normal numbers. It starts from Q_1 = ±1, and makes Q_k (k, k) from Q_{k-1} and a
    normal vector x (k,) with one Householder reflection:

        Q_k = (1 - 2 v v^T / v^T v) [s 0; 0 Q_{k-1}],    v = x - s |x| e_1,    s = -sign(x_1)

    The first column of Q_k is x / |x|, which is uniform over all directions, and v^T v = 2 |x| |v_1|. Q has the same
    distribution as Q in the QR decomposition of a normal matrix, if the diagonal of R is positive. The cost is 4/3 n^3
    operations.

    Source: G. W. Stewart, "The efficient generation of random orthogonal matrices with an application to condition
    estimators", SIAM Journal on Numerical Analysis 17 (1980) 403-409.
    """
    Q, products = np.empty((n, n)), np.empty((n, n))
    Q[-1, -1] = 1.0 if stream.normal(1)[0] >= 0 else -1.0
    for k in range(2, n + 1):
        x = stream.normal(k)
        norm = np.sqrt(_sum(x * x))
        v = x.copy()
        v[0] += norm if x[0] >= 0 else -norm
        _reflect(Q[n - k :, n - k + 1 :], v, norm * abs(v[0]), products[: k - 1, : k - 1])
        Q[n - k :, n - k] = x / norm
    return Q


def _reflect(block: Floats, v: Floats, half: Floats, products: Floats) -> None:
    """Overwrite `block` (k, k - 1) with (1 - v v^T / half) [0; B], where B is `block` without its first row.

    half = v^T v / 2. `products` (k - 1, k - 1) is a buffer for intermediate results and is overwritten.
    """
    B, below = block[1:], v[1:, np.newaxis]
    row = _sum(np.multiply(below, B, out=products)) / half
    B -= np.multiply(below, row, out=products)
    block[0] = -v[0] * row


def _sum(terms: Floats) -> Floats:
    """Return the sum over the first axis. Overwrite `terms`.

    The sum repeatedly adds the second half of the terms to the first half. This order is the same on every machine;
    the order in NumPy's own sums depends on the CPU's vector width.
    """
    count = len(terms)
    while count > 1:
        half = count // 2
        terms[:half] += terms[count - half : count]
        count -= half
    total: Floats = terms[0]
    return total

"""Random orthogonal matrices, the same bits on every machine: no LAPACK or BLAS, whose sums have no fixed order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from recurra.system.random_streams import Stream

    Floats = npt.NDArray[np.float64]


def orthogonal(n: int, stream: Stream) -> Floats:
    """A matrix Q (n, n) with Q^T Q = 1, uniform over all of them (Haar measure), float64, from n (n + 1) / 2 normals.

    Q_k (k, k) is built around Q_{k-1} by one Householder reflection: with normal x (k,) and Q_1 = ±1,

        Q_k = (1 - 2 v v^T / v^T v) [s 0; 0 Q_{k-1}],    v = x - s |x| e_1,    s = -sign(x_1)

    whose first column is x / |x|, a direction with no preference; v^T v = 2 |x| |v_1|. It is the distribution of Q in
    the QR decomposition of a normal matrix (with R's diagonal positive), at 4/3 n^3 operations and without the
    decomposition. Source: G. W. Stewart, "The efficient generation of random orthogonal matrices with an application
    to condition estimators", SIAM Journal on Numerical Analysis 17 (1980) 403-409.
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
    """(1 - v v^T / half) times [0; B], where `block` (k, k - 1) holds B below its first row; half = v^T v / 2.

    `products` (k - 1, k - 1) is room for what is computed on the way.
    """
    B, below = block[1:], v[1:, np.newaxis]
    row = _sum(np.multiply(below, B, out=products)) / half
    B -= np.multiply(below, row, out=products)
    block[0] = -v[0] * row


def _sum(terms: Floats) -> Floats:
    """The sum over the first axis, by adding the second half to the first: a fixed order, whatever the machine.

    `terms` is overwritten. NumPy's own sums are split according to the machine's vectors.
    """
    count = len(terms)
    while count > 1:
        half = count // 2
        terms[:half] += terms[count - half : count]
        count -= half
    total: Floats = terms[0]
    return total

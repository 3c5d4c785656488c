"""Many copies of a tensor along the batch axis of a network, each with one element increased.

With P perturbed copies of one tensor, a network computes P losses in one forward pass. A weight matrix is not stored P
times: its copies share one matrix product.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from recurra.network.parameters import Array


class PerturbedCopies:
    """P copies of a matrix A (R, C); in copy p the element (i_p, j_p) is A[i_p, j_p] + delta. Use: `x @ copies`.

    Row p of x is multiplied by copy p: (x_p A_p)[c] = (x_p A)[c] + [c = j_p] delta x_p[i_p]. This needs one matrix
    product for all copies and one addition for each. If the batch axis of x is 1, all copies multiply the same row.
    """

    __array_ufunc__ = None  # so that `ndarray @ copies` calls __rmatmul__

    def __init__(self, matrix: Array, rows: Array, columns: Array, delta: complex) -> None:
        self._matrix = matrix
        self._rows = rows
        self._columns = columns
        self._delta = delta

    @property
    def T(self) -> PerturbedCopies:  # noqa: N802 - NumPy's name
        """The transposed copies: A^T (C, R), with the element (j_p, i_p) increased."""
        return PerturbedCopies(self._matrix.T, self._columns, self._rows, self._delta)

    def __rmatmul__(self, x: Array) -> Array:
        """Return x @ copies, (..., P, C), for x (..., P or 1, R)."""
        copies = np.arange(len(self._rows))
        product = x @ self._matrix
        shape = (*product.shape[:-2], len(copies), product.shape[-1])
        result = np.array(np.broadcast_to(product, shape), dtype=np.result_type(product, self._delta))
        x = np.broadcast_to(x, (*shape[:-1], x.shape[-1]))
        result[..., copies, self._columns] += self._delta * x[..., copies, self._rows]
        return result


def perturb_elements(tensor: Array, elements: Array, delta: complex) -> Any:
    """Return P copies of `tensor`; in copy p the element with the flat index elements[p] is increased by delta.

    The result is `PerturbedCopies` for a weight matrix (R, C), an array (P, n) for a bias (n,), and an array (R, P, n)
    for a state or inputs (R, 1, n).
    """
    rows, columns = np.divmod(elements, tensor.shape[-1])
    if tensor.ndim == 2:
        return PerturbedCopies(tensor, rows, columns, delta)
    copies = np.repeat(tensor.reshape(-1, 1, tensor.shape[-1]), len(elements), axis=1)
    copies = copies.astype(np.result_type(tensor, delta))
    copies[rows, np.arange(len(elements)), columns] += delta
    return copies if tensor.ndim == 3 else copies[0]

"""Many copies of a tensor, each with one element increased, laid along the batch axis of a network.

A network with P perturbed copies of one tensor computes P losses in one forward pass. What multiplies the
batch, a weight matrix, is not copied P times: the copies share one matrix product.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from recurra.network.parameters import Array


class PerturbedCopies:
    """P copies of a matrix A (R, C); copy p has A[i_p, j_p] + delta. They act on a batch: `x @ copies`.

    Row p of x meets copy p: (x_p A_p)[c] = (x_p A)[c] + [c = j_p] delta x_p[i_p], one product for all and one
    more element for each. A batch axis of 1 in x is shared by all copies.
    """

    __array_ufunc__ = None  # `ndarray @ copies` must come to __rmatmul__

    def __init__(self, matrix: Array, rows: Array, columns: Array, delta: complex) -> None:
        self._matrix = matrix
        self._rows = rows
        self._columns = columns
        self._delta = delta

    @property
    def T(self) -> PerturbedCopies:  # noqa: N802 - NumPy's name
        """The copies turned: A^T (C, R) with the element (j_p, i_p) increased."""
        return PerturbedCopies(self._matrix.T, self._columns, self._rows, self._delta)

    def __rmatmul__(self, x: Array) -> Array:
        """x (..., P or 1, C) @ copies (C, R) = (..., P, R)."""
        copies = np.arange(len(self._rows))
        product = x @ self._matrix
        shape = (*product.shape[:-2], len(copies), product.shape[-1])
        result = np.array(np.broadcast_to(product, shape), dtype=np.result_type(product, self._delta))
        x = np.broadcast_to(x, (*shape[:-1], x.shape[-1]))
        result[..., copies, self._columns] += self._delta * x[..., copies, self._rows]
        return result


def perturb_elements(tensor: Array, elements: Array, delta: complex) -> Any:
    """P copies, where copy p has the element elements[p] (a flat index) increased by delta.

    A weight matrix (R, C) becomes `PerturbedCopies`, a bias (n,) an array (P, n), and a state or inputs
    (R, 1, n) an array (R, P, n).
    """
    rows, columns = np.divmod(elements, tensor.shape[-1])
    if tensor.ndim == 2:
        return PerturbedCopies(tensor, rows, columns, delta)
    copies = np.repeat(tensor.reshape(-1, 1, tensor.shape[-1]), len(elements), axis=1)
    copies = copies.astype(np.result_type(tensor, delta))
    copies[rows, np.arange(len(elements)), columns] += delta
    return copies if tensor.ndim == 3 else copies[0]

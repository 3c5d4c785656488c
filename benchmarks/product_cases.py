"""The matrix products of training, computed by recurra's kernels and by NumPy on the same random matrices."""

from __future__ import annotations

import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from product_loops import Loop
from recurra.engines.kernels import gemm
from recurra.engines.kernels.lanes import Vector, aligned_zeros
from recurra.engines.kernels.products import transpose_matrix
from recurra.engines.parameter_layout import padded_size
from recurra.engines.sharding import default_shards, shard_bounds

# kind: the rows and columns of the result and the number of terms of each sum, for n = T B, H, and N = G H or K
SIZES: dict[str, Callable[[int, int, int], tuple[int, int, int]]] = {
    "W h": lambda n, H, N: (n, N, H),
    "W' da": lambda n, H, N: (n, H, N),
    "U x": lambda n, H, N: (n, N, H),
    "U' da": lambda n, H, N: (n, H, N),
    "da h'": lambda n, H, N: (H, N, n),
    "V h": lambda n, H, N: (n, N, H),
    "V' do": lambda n, H, N: (n, H, N),
    "do h'": lambda n, H, N: (H, N, n),
}
RECURRENT = ("W h", "W' da")  # one product for each time step; the others have all time steps
GRADIENTS = ("da h'", "do h'")  # of weight matrices
OUTPUT = ("V h", "V' do", "do h'")
FROM_PARAMETER = ("W h", "U x", "V h")  # read the parameter as it is stored; the others read its transpose
BATCH = {512: (64, 128)}  # H: B and T of training
DEFAULT_BATCH = (50, 50)
AGREEMENT = 1e-4  # largest accepted difference from NumPy's result, over the largest element
Work = Callable[[], Any]


class Case(NamedTuple):
    """One product: its kind, H, the columns of the weight matrix (G H or K), the streams B and the time steps T."""

    kind: str
    hidden: int
    columns: int
    streams: int
    steps: int

    @property
    def sizes(self) -> tuple[int, int, int]:
        """The rows and columns of a result, and the number of terms of each sum."""
        rows = self.streams if self.kind in RECURRENT else self.streams * self.steps
        return SIZES[self.kind](rows, self.hidden, self.columns)

    @property
    def operations(self) -> int:
        """The multiplications and additions of an update, without padding."""
        rows, columns, depth = self.sizes
        return 2 * rows * columns * depth * (self.steps if self.kind in RECURRENT else 1)


def cases(hidden: list[int], gates: list[int], streams: list[int], symbols: list[int]) -> list[Case]:
    """Return every product of training: the recurrent ones for each number of streams, the others for one shard."""
    result = []
    for H in hidden:
        B, T = BATCH.get(H, DEFAULT_BATCH)
        shard = max(np.diff(shard_bounds(B, default_shards(B))).tolist())
        for kind in SIZES:
            widths = symbols if kind in OUTPUT else [G * H for G in gates]
            counts = streams if kind in RECURRENT else [shard]
            result += [Case(kind, H, N, count, T) for N, count in itertools.product(widths, counts)]
    return result


class Product(ABC):
    """A case on random matrices: `multiply`, `with_packing` and `numpy` compute all products C = A B of an update.

    Training packs B once in an update. `multiply` finds B already packed.
    """

    def __init__(self, case: Case) -> None:
        self.case, self.draw = case, np.random.default_rng(0)
        self.rows, self.columns, self.depth = case.sizes
        self.workspace = aligned_zeros(gemm.DEPTH, gemm.ROWS)

    def normal(self, rows: int, columns: int) -> tuple[Vector, Vector]:
        """Return a random matrix with columns of padding, and the same matrix without padding."""
        padded = aligned_zeros(rows, padded_size(columns))
        padded[:, :columns] = self.draw.normal(0.0, 1.0, (rows, columns))
        return padded, np.ascontiguousarray(padded[:, :columns])

    @abstractmethod
    def multiply(self) -> None:
        """Compute the products from the packed matrix."""

    @abstractmethod
    def with_packing(self) -> None:
        """Pack the matrix and compute the products, as an update does."""

    @abstractmethod
    def numpy(self) -> None:
        """Compute the products by NumPy."""

    @abstractmethod
    def results(self) -> tuple[Vector, Vector]:
        """Return the result of recurra, and the result of NumPy."""

    def difference(self) -> float:
        """Compute the products in all ways; return the largest difference from NumPy, over the largest element."""
        self.numpy()
        worst = 0.0
        for ours in (self.multiply, self.with_packing):
            result, expected = self.results()
            result[...] = np.nan
            ours()
            worst = max(worst, float(np.abs(result - expected).max() / np.abs(expected).max()))
        return worst


class WeightProduct(Product):
    """The product of all rows, time steps and streams, with a weight matrix or its transpose."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        total = case.operations // (2 * self.columns * self.depth)
        self.A, self.plain_A = self.normal(total, self.depth)
        self.B = aligned_zeros(padded_size(self.depth), padded_size(self.columns))
        self.B[: self.depth], self.plain_B = self.normal(self.depth, self.columns)
        self.transposed = aligned_zeros(*self.B.shape[::-1])
        self.transposed[...] = self.B.T
        self.C, self.plain_C = aligned_zeros(total, self.B.shape[1]), np.zeros((total, self.columns), np.float32)
        self.packed = self.room()
        self.pack()

    def room(self) -> Vector:
        """Return the array for the packed matrix."""
        return aligned_zeros(*gemm.panel_rows(*self.B.shape))

    def pack(self) -> None:
        """Pack the matrix as it is stored, or its transpose."""
        if self.case.kind in FROM_PARAMETER:
            gemm.pack(self.B, self.packed)
        else:
            gemm.pack_transposed(self.transposed, self.packed)

    def multiply(self) -> None:
        gemm.multiply(self.A, False, self.packed, len(self.B), self.C, self.workspace, False)

    def with_packing(self) -> None:
        self.pack()
        self.multiply()

    def numpy(self) -> None:
        np.matmul(self.plain_A, self.plain_B, out=self.plain_C)

    def results(self) -> tuple[Vector, Vector]:
        return self.C[:, : self.columns], self.plain_C


class RecurrentProduct(WeightProduct):
    """The product of each time step in turn, in the loop `loop`."""

    def __init__(self, case: Case, loop: Loop) -> None:
        super().__init__(case)
        self.loop = loop

    def multiply(self) -> None:
        self.loop(self.A, self.packed, self.C, self.case.streams, self.workspace)

    def numpy(self) -> None:
        for start in range(0, len(self.plain_A), self.rows):
            now = slice(start, start + self.rows)
            np.matmul(self.plain_A[now], self.plain_B, out=self.plain_C[now])


class SingleStreamProduct(RecurrentProduct):
    """The product of each time step of one stream, whose matrix is not in panels."""

    def room(self) -> Vector:
        return self.B if self.case.kind in FROM_PARAMETER else aligned_zeros(*self.B.shape)

    def pack(self) -> None:
        if self.case.kind not in FROM_PARAMETER:
            transpose_matrix(self.transposed, self.packed)


class WeightGradient(Product):
    """The gradient of a weight matrix, a sum over all rows of two matrices. Training packs B in blocks of rows."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self.A, self.plain_A = self.normal(self.depth, self.rows)
        self.B, self.plain_B = self.normal(self.depth, self.columns)
        self.C = aligned_zeros(self.A.shape[1], self.B.shape[1])
        self.plain_C = np.zeros((self.rows, self.columns), np.float32)
        self.buffer = aligned_zeros(*gemm.panel_rows(gemm.DEPTH, self.B.shape[1]))
        self.blocks = [self.block(k) for k in range(0, self.depth, gemm.DEPTH)]

    def block(self, k: int) -> tuple[Vector, Vector, int]:
        """Return a block of the rows of A, the same rows of B in panels, and their number."""
        rows = self.B[k : k + gemm.DEPTH]
        panels = aligned_zeros(*gemm.panel_rows(*rows.shape))
        gemm.pack(rows, panels)
        return self.A[k : k + gemm.DEPTH], panels, len(rows)

    def multiply(self) -> None:
        for number, (part, panels, count) in enumerate(self.blocks):
            gemm.multiply(part, True, panels, count, self.C, self.workspace, number > 0)

    def with_packing(self) -> None:
        gemm.multiply_outer(self.A, self.B, self.C, self.workspace, self.buffer)

    def numpy(self) -> None:
        np.matmul(self.plain_A.T, self.plain_B, out=self.plain_C)

    def results(self) -> tuple[Vector, Vector]:
        return self.C[: self.rows, : self.columns], self.plain_C


def product(case: Case, loop: Loop) -> Product:
    """Return the case on random matrices. Raise ArithmeticError if the kernels and NumPy disagree.

    `loop` computes the products of all time steps in turn.
    """
    result: Product
    if case.kind in RECURRENT:
        result = (SingleStreamProduct if case.streams == 1 else RecurrentProduct)(case, loop)
    else:
        result = (WeightGradient if case.kind in GRADIENTS else WeightProduct)(case)
    off = result.difference()
    if not off < AGREEMENT:
        raise ArithmeticError(f"{case}: the products differ from NumPy's by {off:.0e}")
    return result


def rate(work: Callable[[], None], operations: int, seconds: float) -> float:
    """Run `work` repeatedly for about `seconds` of CPU time; return GFLOP/s."""
    calls = 1
    while True:
        start = time.thread_time()
        for _ in range(calls):
            work()
        taken = time.thread_time() - start
        if taken > seconds / 2:
            return calls * operations / taken / 1e9
        calls *= 2


def tile() -> str:
    """Return the rows and columns of the sums that the kernels hold in registers."""
    return f"{len(gemm.BLOCK_ROWS)} x {gemm.PANEL * len(gemm.BLOCK_PANELS)}"


def is_fused() -> bool:
    """Return True if the kernels use fused multiply-adds: (1 + e) (1 - e) - 1 is -e² only if it is rounded once."""
    e, size = np.float32(2.0**-13), gemm.PANEL
    x, weights, y = aligned_zeros(gemm.ROWS, size), aligned_zeros(size, size), aligned_zeros(gemm.ROWS, size)
    x[:, 0], x[:, 1], weights[0], weights[1] = -1, 1 + e, 1, 1 - e
    panels = aligned_zeros(*gemm.panel_rows(size, size))
    gemm.pack(weights, panels)
    gemm.multiply(x, False, panels, size, y, aligned_zeros(gemm.DEPTH, gemm.ROWS), False)
    return bool(y[0, 0] != 0)

"""Matrix products in panels are correct, and sum in the same order for any block size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recurra.engines.kernels import gemm
from recurra.engines.kernels.lanes import aligned_zeros, multiply_add


def matrix(rows: int, columns: int, seed: int = 0) -> NDArray[np.float32]:
    array = aligned_zeros(rows, columns)
    array[:] = np.random.default_rng(seed).normal(size=(rows, columns))
    return array


def in_order(A: NDArray[np.float32], B: NDArray[np.float32], C: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return C + A B in float32 by fused multiply-adds, summed over k in ascending order."""
    total = C.copy()
    for k in range(A.shape[1]):
        total = multiply_add(A[:, k : k + 1], B[k], total)
    return total


def multiply(
    A: NDArray[np.float32], transposed: bool, B: NDArray[np.float32], C: NDArray[np.float32], add: bool
) -> NDArray[np.float32]:
    panels = aligned_zeros(*gemm.panel_rows(*B.shape))
    gemm.pack(B, panels)
    gemm.multiply(A, transposed, panels, B.shape[0], C, aligned_zeros(gemm.DEPTH, gemm.ROWS), add)
    return C


@given(M=st.integers(1, 21), N=st.sampled_from([16, 48, 288]), K=st.sampled_from([1, 7, 16, 300]), flip=st.booleans(),
       add=st.booleans())  # fmt: skip
def test_every_sum_is_in_ascending_order(M: int, N: int, K: int, flip: bool, add: bool) -> None:
    A, B, C = matrix(M, K), matrix(K, N, 1), matrix(M, N, 2)
    given_A = np.ascontiguousarray(A.T) if flip else A
    expected = in_order(A, B, C if add else np.zeros_like(C))
    assert np.array_equal(multiply(given_A, flip, B, C, add), expected)


@pytest.mark.parametrize("depth", [5, 256, 600])
def test_outer_product_is_summed_in_the_order_of_time(depth: int) -> None:
    A, B, C = matrix(depth, 24), matrix(depth, 32, 1), matrix(24, 32, 2)
    panels = aligned_zeros(*gemm.panel_rows(gemm.DEPTH, 32))
    gemm.multiply_outer(A, B, C, aligned_zeros(gemm.DEPTH, gemm.ROWS), panels)
    assert np.array_equal(C, in_order(A.T, B, np.zeros_like(C)))


def test_panels_of_the_transpose() -> None:
    B = matrix(32, 48)
    transposed, plain = (aligned_zeros(*gemm.panel_rows(48, 32)) for _ in range(2))
    gemm.pack_transposed(B, transposed)
    gemm.pack(np.ascontiguousarray(B.T), plain)
    assert np.array_equal(transposed, plain)


@pytest.mark.parametrize("N", [16, 32, 48, 64, 80, 96, 112, 128, 384, 240])
@pytest.mark.parametrize("K", [1, 16, 300])
def test_single_row_has_the_bits_of_a_batch(N: int, K: int) -> None:
    x, B, y = matrix(1, K), matrix(K, N, 1), matrix(1, N, 2)
    gemm.row_multiply(x, B, y)
    assert np.array_equal(y, in_order(x, B, np.zeros_like(y)))


@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize("N", [16, 144])
def test_step_product_same_bits_for_panels_and_rows(streams: int, N: int) -> None:
    h, W_T = matrix(streams, 32), matrix(32, N, 1)
    panels = aligned_zeros(*gemm.panel_rows(32, N))
    gemm.pack(W_T, panels)
    for W in [panels] if streams > 1 else [panels, W_T]:
        y = matrix(streams, N, 2)
        gemm.step_product(h, W, y, aligned_zeros(gemm.DEPTH, gemm.ROWS))
        assert np.array_equal(y, in_order(h, W_T, np.zeros_like(y)))

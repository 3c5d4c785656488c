"""Perturbed copies have the same results as copies that are made and used one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from problems import Array
from recurra.network.perturbation import PerturbedCopies, perturb_elements


@given(st.integers(0, 10**6), st.sampled_from([0.5, -2.0, 1j]), st.booleans(), st.booleans())
def test_copies_equal_matrices_made_one_by_one(seed: int, delta: complex, shared: bool, timed: bool) -> None:
    random = np.random.default_rng(seed)
    A = random.standard_normal((3, 4))
    elements = random.integers(0, 12, 5)
    x = random.standard_normal(((2,) if timed else ()) + (1 if shared else 5, 4))
    result = x @ perturb_elements(A, elements, delta).T
    for p, element in enumerate(elements):
        copy = A.astype(np.result_type(A, delta))
        copy.flat[element] += delta
        np.testing.assert_allclose(result[..., p, :], x[..., 0 if shared else p, :] @ copy.T, rtol=1e-12, atol=1e-14)


def test_transposing_twice_gives_the_same_copies() -> None:
    A = np.arange(6.0).reshape(2, 3)
    copies = PerturbedCopies(A, np.array([1]), np.array([2]), 10.0)
    x = np.array([[1.0, 1.0]])
    assert (x @ copies).tolist() == [[3, 5, 17]]
    assert (x @ copies.T.T).tolist() == [[3, 5, 17]]


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        (np.array([1.0, 2.0]), [[2, 2], [1, 3]]),
        (np.array([[[1.0, 2.0]], [[3.0, 4.0]]]), [[[2, 2], [1, 3]], [[3, 4], [3, 4]]]),
    ],
    ids=["bias", "state"],
)
def test_vectors_are_copied_along_the_batch_axis(tensor: Array, expected: list[object]) -> None:
    assert perturb_elements(tensor, np.array([0, 1]), 1.0).tolist() == expected

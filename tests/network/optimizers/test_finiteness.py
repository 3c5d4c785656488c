"""Errors for values that are not finite."""

from __future__ import annotations

import math

import numpy as np
import pytest

from recurra.errors import NumericalError
from recurra.network.optimizers import require_finite


def test_finite_values_pass() -> None:
    require_finite(1.0, {"V": np.ones(3)}, 1)


@pytest.mark.parametrize(
    ("loss", "value", "tensor", "message"),
    [
        (math.nan, 0.0, "loss", r"the loss became nan at update 12; it must be finite\."),
        (1.0, math.inf, "V", r"the gradient of `V` became inf at update 12; it must be finite\."),
        (
            1.0,
            math.nan,
            "V",
            r"the gradient of `V` became nan at update 12; it must be finite\.\nhint: train again with a lower",
        ),
    ],
)
def test_error_names_the_tensor_that_is_not_finite(loss: float, value: float, tensor: str, message: str) -> None:
    with pytest.raises(NumericalError, match=message) as caught:
        require_finite(loss, {"c": np.zeros(2), "V": np.array([[0.0, value]])}, 12)
    assert (caught.value.tensor, caught.value.update) == (tensor, 12)

"""The logistic function, the activation of the gates."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def sigmoid(a: Array) -> Array:
    """Return s = 1 / (1 + exp(-a)), element by element. Its derivative is s (1 - s).

    The code computes (1 + tanh(a / 2)) / 2, which is the same function for real and complex a and never overflows.

    Args:
        a: an array of any shape, real or complex.

    Returns: s, with the shape and dtype of `a`.
    """
    s: Array = 0.5 + 0.5 * np.tanh(0.5 * a)
    return s

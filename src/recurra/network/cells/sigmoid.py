"""The logistic function of the gates."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def sigmoid(a: Array) -> Array:
    """1 / (1 + exp(-a)), as (1 + tanh(a / 2)) / 2: the same function, real or complex, and it never overflows.

    Its slope is s (1 - s) for the value s.
    """
    s: Array = 0.5 + 0.5 * np.tanh(0.5 * a)
    return s

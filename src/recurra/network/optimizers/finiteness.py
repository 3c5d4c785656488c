"""Find NaN and infinity in the numbers of an update."""

from __future__ import annotations

import numpy as np

from recurra.errors import NumericalError
from recurra.network.parameters import Array, Parameters


def magnitude(array: Array) -> float:
    """Return the largest absolute value of an array; NaN if a number is NaN. Nothing is copied."""
    return float(np.maximum(array.max(), -array.min()))


def require_finite(loss: float, gradients: Parameters, update: int) -> None:
    """Raise `NumericalError` if the loss or a gradient of `update` (counted from 1) is NaN or infinite."""
    tensors: dict[str, Array] = {"loss": np.asarray(loss), **gradients}
    for name, array in tensors.items():
        if not np.isfinite(array).all():
            raise not_finite(name, str(array[~np.isfinite(array)].flat[0]), update)


def not_finite(tensor: str, value: str, update: int, expected: str = "finite") -> NumericalError:
    """Return the error for the loss, or the gradient of `tensor`, that became `value` at `update` (from 1)."""
    what = {"loss": "the loss", "gradients": "the norm of all gradients"}.get(tensor, f"the gradient of `{tensor}`")
    return NumericalError(
        f"{what} became {value} at update {update}; it must be {expected}.",
        update=update,
        tensor=tensor,
        hint="train again with a lower `--learning-rate`, or a lower `--clip-value`.",
    )

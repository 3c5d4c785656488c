"""Find NaN and infinity in the loss and the gradients of an update."""

from __future__ import annotations

import numpy as np

from recurra.errors import NumericalError
from recurra.network.parameters import Array, Parameters


def magnitude(array: Array) -> float:
    """Return the largest absolute value in an array, without copying it; NaN if an element is NaN."""
    return float(np.maximum(array.max(), -array.min()))


def require_finite(loss: float, gradients: Parameters, update: int) -> None:
    """Raise NumericalError if the loss or a gradient of `update` (counted from 1) is NaN or infinite."""
    tensors: dict[str, Array] = {"loss": np.asarray(loss), **gradients}
    for name, array in tensors.items():
        if not np.isfinite(array).all():
            raise not_finite(name, str(array[~np.isfinite(array)].flat[0]), update)


def not_finite(tensor: str, value: str, update: int, expected: str = "finite") -> NumericalError:
    """Return the error for a loss or a gradient with the value `value` at `update` (counted from 1).

    `tensor` is "loss", "gradients" (the norm of all gradients), or the name of a parameter.
    """
    quantity = {"loss": "the loss", "gradients": "the norm of all gradients"}.get(tensor, f"the gradient of `{tensor}`")
    return NumericalError(
        f"{quantity} became {value} at update {update}; it must be {expected}.",
        update=update,
        tensor=tensor,
        hint="train again with a lower `--learning-rate`, or a lower `--clip-value`.",
    )
